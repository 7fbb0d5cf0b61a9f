"""The runtime benchmark: what it measures, and what it prints, with a tiny model and the starter."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import attrs
import psutil
import pytest
from output_schema import checked
from typer.testing import CliRunner

from llmstep.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstep.bench.runtime import Subject
    from llmstep.progress import Progress


@pytest.fixture(scope="module")
def tiny() -> Iterator[Subject]:
    from llmstep.bench.runtime_model import subject
    from llmstep.settings import Settings

    with subject(Settings(model="tiny-shape", device="cpu")) as made:
        yield made


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", "runtime", *arguments], catch_exceptions=False)


def test_pairs_and_ratios(tiny: Subject) -> None:
    from llmstep.bench.runtime import run_benchmark
    from llmstep.bench.runtime_model import cases_of

    shown: list[Progress] = []
    cases = cases_of(tiny)
    assert [len(case.prompt.input_ids) for case in cases] == [50, 200, 400]
    report = run_benchmark(
        tiny, cases, samples=3, fixed=4, rounds=3, threads=1, against="upstream-generate", progress=shown.append
    )
    assert (report.random_weights, report.fixed_tokens, report.samples, report.threads) == (True, 4, 3, 1)
    assert (report.dtype, report.model, len(shown)) == ("float32", "tiny-shape", 6)
    assert report.peak_bytes > 50_000_000
    assert report.machine["processor"]
    for case in report.cases:
        assert case.new_tokens == 12
        assert len(case.pairs) == 3
        assert case.upstream is not None
        ratios = sorted(theirs / ours for theirs, ours in case.pairs)
        assert case.ratio_median == pytest.approx(ratios[1])
        assert case.ours.median == sorted(ours for _, ours in case.pairs)[1]
        assert 0 < case.first_candidate <= case.ours.p95
        assert case.tokens_per_second > 0
        assert case.seen_ratio_median is not None
        assert case.cpu > 0
        assert case.floor is not None
        assert 0 < case.floor < case.ours.median
    assert [case.floor for case in report.cases] == sorted(case.floor or 0 for case in report.cases)
    assert tiny.loaded.decoder is not None


def test_without_anything_to_compare_with(tiny: Subject) -> None:
    from llmstep.bench.runtime import run_benchmark
    from llmstep.bench.runtime_model import cases_of

    report = run_benchmark(tiny, cases_of(tiny)[:1], samples=2, rounds=1, threads=1)
    [case] = report.cases
    assert report.fixed_tokens == 32
    assert case.new_tokens == 64
    assert (case.upstream, case.ratio_median, case.seen_ratio_median, case.pairs) == (None, None, None, ())


def test_generate_draws_as_many_tokens(tiny: Subject) -> None:
    """The comparison is of the same work: the same prompt, samples and tokens."""
    from llmstep.bench.opponents import opponent, with_module
    from llmstep.bench.runtime_model import cases_of
    from llmstep.types import SamplingParams

    made: list[tuple[int, ...]] = []
    loaded = with_module(tiny.loaded)
    model = loaded.model
    plain = model.generate

    def generate(**arguments: Any) -> Any:
        made.append(tuple(plain(**arguments).shape))
        return plain(**arguments)

    model.generate = generate
    try:
        with opponent("upstream-generate", loaded, SamplingParams(5, 0.5, 1.0, 7), fixed=True, threads=1) as ask:
            ask(cases_of(tiny)[0].prompt)
    finally:
        del model.generate
    assert made == [(5, 57)]


def test_the_floor_counts_what_a_request_must_read() -> None:
    from llmstep.bench.hardware import Floor, Speeds

    speeds = Speeds(bytes_per_second=1e9, operations_per_second=1e10)
    causal = Floor.of({"0.mlp_in": (1000, 500), "head": (2000, 500)}, 4, speeds)
    assert causal.seconds(10, 3) == pytest.approx(3 * 4 * 1_500_000 / 1e9 + 2 * 10 * 500_000 / 1e10)
    both = Floor.of(
        {"encoder.0.out": (100, 50), "cross": (10, 50), "decoder.0.out": (30, 50), "head": (4, 50)}, 1, speeds
    )
    assert both.seconds(7, 2) == pytest.approx(2 * 1_700 / 1e9 + 2 * 7 * 5_500 / 1e10)


def test_speeds_are_of_this_world() -> None:
    from llmstep.bench.hardware import Speeds

    speeds = Speeds.measure("float32")
    assert 1e8 < speeds.bytes_per_second < 1e13
    assert 1e8 < speeds.operations_per_second < 1e15


@pytest.mark.parametrize("name", ["byt5-300m-shape", "pythia-2.8b-shape", "qwen2-7b-shape", "llama-7b-shape"])
def test_the_shapes_are_those_of_the_published_models(name: str) -> None:
    """Parameters as their cards say (ByT5 small, Pythia, Qwen2.5-7B, Llama 2 7B), without making them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from llmstep.bench.shapes import config_of

    config = config_of(name)
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    with torch.device("meta"):
        model = auto.from_config(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    published = {
        "byt5-300m-shape": 299_072_512,
        "pythia-2.8b-shape": 2_775_208_960,
        "qwen2-7b-shape": 7_615_616_512,
        "llama-7b-shape": 6_738_415_616,
    }
    assert count == published[name]


def test_json_on_the_command_line() -> None:
    result = invoke(
        *("--model", "tiny-shape", "--against", "upstream-generate", "--rounds", "2", "--samples", "2"),
        *("--fixed-tokens", "3", "--threads", "1", "--json", "--prompt-tokens", "50", "--prompt-tokens", "90"),
    )
    assert result.exit_code == 0, result.output
    report = checked("bench runtime", result.stdout)
    assert [case["name"] for case in report["cases"]] == ["50 tokens", "90 tokens"]
    assert all(len(case["pairs"]) == 2 and case["ratio_median"] > 0 for case in report["cases"])
    assert report["random_weights"] is True
    assert "[2/2] 50 tokens: " in result.stderr


def test_goals_for_a_real_model() -> None:
    result = invoke("--model", "starter", "--rounds", "1", "--samples", "2", "--threads", "1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("starter (float32): 2 samples at 0.5, 1 threads, load ")
    assert [line.partition(" | ")[0] for line in lines[2:]] == ["case", "goal 1", "goal 2", "goal 3"]


def test_wrong_words() -> None:
    from llmstep.bench.runtime_model import subject
    from llmstep.errors import RequestError
    from llmstep.settings import Settings

    with (
        pytest.raises(RequestError, match="There is no shape giant-shape"),
        subject(attrs.evolve(Settings(), model="giant-shape")),
    ):
        pass
    with pytest.raises(RequestError, match="nothing called vllm"):
        invoke("--model", "tiny-shape", "--against", "vllm")


@pytest.mark.parametrize("model", ["tiny-t5-shape", "tiny-qwen2-shape"])
def test_ctranslate2_draws_as_many_tokens(model: str) -> None:
    pytest.importorskip("ctranslate2")
    case = against("ctranslate2", model)
    assert len(case["pairs"]) == 2
    assert case["ratio_median"] > 0


@pytest.mark.parametrize("model", ["tiny-shape", "tiny-qwen2-shape"])
def test_llama_cpp_draws_as_many_tokens(model: str) -> None:
    """A real server of llama.cpp, in the formats that narrow and wide rows have; it ends with the measurement."""
    assert len(against("llama.cpp", model)["pairs"]) == 2
    assert [each for each in psutil.Process().children() if "llama" in each.name()] == []


def test_a_format_that_only_torch_has() -> None:
    """Tokens beyond the bytes are written, too."""
    assert against("upstream-generate", "tiny-qwen2-shape", "--dtype", "bfloat16")["ratio_median"] > 0


def against(name: str, model: str, *more: str) -> Any:
    """The case of a run beside something else."""
    result = invoke(
        *more,
        *("--model", model, "--against", name, "--rounds", "2", "--samples", "3", "--prompt-tokens", "20"),
        *("--fixed-tokens", "4", "--threads", "1", "--json"),
    )
    assert result.exit_code == 0, result.output
    [case] = checked("bench runtime", result.stdout)["cases"]
    assert case["new_tokens"] == 12
    return case


def test_what_cannot_be_compared(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmstep.bench import llama_cpp
    from llmstep.bench.opponents import opponent
    from llmstep.errors import RequestError
    from llmstep.types import SamplingParams

    def refusal(name: str, *, fixed: bool = True) -> RequestError:
        with (
            pytest.raises(RequestError) as caught,
            opponent(name, tiny.loaded, SamplingParams(), fixed=fixed, threads=1),
        ):
            pass
        return caught.value

    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    assert refusal("ctranslate2").hint == "pip install ctranslate2"
    monkeypatch.setitem(sys.modules, "ctranslate2", object())
    assert "cannot convert GPT-NeoX" in refusal("ctranslate2").message
    assert "fixed number of tokens" in refusal("llama.cpp", fixed=False).message
    monkeypatch.setattr(llama_cpp, "llama_server", lambda: ("/no/such/program",))
    assert "llama.cpp did not start" in refusal("llama.cpp").message
    monkeypatch.setattr(llama_cpp, "llama_server", lambda: ())
    assert refusal("llama.cpp").hint == "pip install xllamacpp gguf"
