"""The retriever: vectors, the index on the disk, what a place can use, and the commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from command_line import run
from lsprotocol.types import Position
from safetensors.torch import load_file, save_file
from transformers import ByT5Tokenizer, T5EncoderModel

from llmstep.catalog.template import marked
from llmstep.errors import LlmstepError, ModelLoadError, ModelNotFoundError, RequestError, SettingsError
from llmstep.lean.insertion_points import find_insertion_point
from llmstep.premises.corpus import read_corpus
from llmstep.premises.encoder import Encoder
from llmstep.premises.index import PremiseIndex
from llmstep.premises.retriever import Retriever
from llmstep.premises.source import Whereabouts
from llmstep.types import Goal, Premise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STATE = "n m : ℕ\nh : 0 < n\n⊢ n + m = m + n\n\ncase b\n⊢ 0 < succ n"


def plain_vector(folder: Path, text: str) -> torch.Tensor:
    """Mean over the tokens, one text alone, nothing padded."""
    ids = torch.tensor([[*(byte + 3 for byte in text.encode()), 1]])
    with torch.no_grad():
        hidden = T5EncoderModel.from_pretrained(folder).eval()(input_ids=ids).last_hidden_state[0]
    mean = hidden.sum(0) / ids.shape[1]
    return mean / mean.norm()


@pytest.fixture
def index(encoder: Path, corpus: Path, tmp_path: Path) -> Path:
    said = run("index", "--corpus", corpus, "--out", tmp_path / "index", "--encoder", encoder, "--batch-size", 4)
    assert "6 premises of 3 files" in said
    return tmp_path / "index"


def test_vectors_are_means_of_unit_length_however_they_are_batched(encoder: Path) -> None:
    texts = ["⊢ p", "theorem <a>Nat.add_comm</a> (n m : ℕ) : n + m = m + n", "", STATE]
    expected = torch.stack([plain_vector(encoder, text) for text in texts])
    model = Encoder(str(encoder))
    steps: list[int] = []
    vectors = model.embed(texts, 3, steps.append)
    assert steps == [3, 4]
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.embed(texts, 1), vectors, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    assert model.embed([]).shape == (0, 32)
    long = "α" * 700  # 1400 bytes: the first 1023 and the end token are read
    ids = ByT5Tokenizer()(long, max_length=1024, truncation=True)["input_ids"]
    assert len(ids) == 1024
    assert ids[-1] == 1
    with torch.no_grad():
        hidden = T5EncoderModel.from_pretrained(encoder).eval()(input_ids=torch.tensor([ids])).last_hidden_state[0]
    torch.testing.assert_close(
        model.embed([long])[0], torch.nn.functional.normalize(hidden.mean(0), dim=0), atol=1e-5, rtol=1e-4
    )


def test_the_files_of_an_index(index: Path, encoder: Path, corpus: Path) -> None:
    assert sorted(file.name for file in index.iterdir()) == ["files.jsonl", "index.json", "vectors.safetensors"]
    about = json.loads((index / "index.json").read_text())
    assert about == {"format": 1, "encoder": str(encoder), "width": 32, "premises": 6}
    lines = [json.loads(line) for line in (index / "files.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[2] == {"path": "Lib/Lonely.lean", "imports": [], "premises": [["lonely", "theorem lonely : α = α", 2]]}
    loaded = PremiseIndex.load(index)
    assert loaded.files == read_corpus(corpus)
    vectors = load_file(index / "vectors.safetensors")["vectors"]
    assert vectors.dtype == torch.float32
    expected = torch.stack([plain_vector(encoder, marked(premise)) for premise in loaded.premises])
    torch.testing.assert_close(vectors, expected, atol=1e-5, rtol=1e-4)


async def test_premises_come_in_the_order_of_the_exact_cosine(index: Path, encoder: Path) -> None:
    premises = PremiseIndex.load(index).premises
    query = plain_vector(encoder, STATE)
    cosine = {each: float(plain_vector(encoder, marked(each)) @ query) for each in premises}
    expected = sorted(premises, key=lambda each: -cosine[each])
    assert len({round(value, 4) for value in cosine.values()}) == 6  # no ties that rounding could decide
    retriever = Retriever(str(index), "cpu")
    assert list(await retriever.find(Goal.from_state(STATE), None, 10, 60)) == expected
    assert list(await retriever.find(Goal.from_state(STATE), None, 2, 60)) == expected[:2]
    found = PremiseIndex.load(index).nearest(query, 6)
    assert [score for _, score in found] == pytest.approx([cosine[each] for each in expected], abs=1e-5)


def test_equal_premises_keep_their_order() -> None:
    from llmstep.premises.corpus import CorpusFile

    names = tuple(Premise(name, name) for name in "cabd")
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.6, 0.8]])
    index = PremiseIndex("x", [CorpusFile("F", (), names, (1, 2, 3, 4))], vectors)
    assert "".join(each.name for each, _ in index.nearest(torch.tensor([1.0, 0.0]), 9)) == "cbda"
    allowed = torch.tensor([False, True, True, False])
    assert "".join(each.name for each, _ in index.nearest(torch.tensor([1.0, 0.0]), 9, allowed)) == "ba"


@pytest.mark.parametrize(
    ("text", "path", "line", "names"),
    [
        (
            "import Lib.Nat.Basic\n",
            "/x/My.lean",
            9,
            ["And.swap", "Or.swap", "Nat.add_comm", "Nat.succ_pos", "Nat.double"],
        ),
        ("public import Std.Logic -- import Lib.Lonely\n", "/x/My.lean", 9, ["And.swap", "Or.swap"]),
        ("import Lib.Lonely\nimport Std.Logic", "/x/My.lean", 9, ["And.swap", "Or.swap", "lonely"]),
        ("import Std.Logic", "/x/Lib/Nat/Basic.lean", 10, ["And.swap", "Or.swap", "Nat.add_comm", "Nat.succ_pos"]),
        ("", "/x/Lib/Nat/Basic.lean", 5, ["Nat.add_comm"]),
        ("import Other.Thing\n", "/x/My.lean", 9, None),
        ("", "/x/My.lean", 9, None),
    ],
)
def test_what_a_place_can_use(index: Path, text: str, path: str, line: int, names: Sequence[str] | None) -> None:
    loaded = PremiseIndex.load(index)
    allowed = loaded.accessible(text, path, line)
    if names is None:
        assert allowed is None
    else:
        assert allowed is not None
        assert [each.name for each, yes in zip(loaded.premises, allowed.tolist(), strict=True) if yes] == names


async def test_a_goal_in_a_file_gets_what_the_file_imports(index: Path, tmp_path: Path) -> None:
    text = "import Std.Logic\n\ntheorem t (p : Prop) : p := by\n  sorry\n"
    point = find_insertion_point(text, Position(3, 2))
    assert point is not None
    where = Whereabouts((tmp_path / "My.lean").as_uri(), text, point)
    found = await Retriever(str(index), "cpu").find(Goal("p : Prop\n⊢ p"), where, 100, 60)
    assert {premise.name for premise in found} == {"And.swap", "Or.swap"}


def test_a_project_is_read_as_text_shows_it(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "Sub").mkdir(parents=True)
    (folder / "Sub" / "Base.lean").write_text(
        "/-! theorem not_this : x := y -/\nnamespace Sub\n\n"
        "@[simp]\ntheorem one (h : x := by simp) :\n    x := by\n  exact h\n\n"
        "/-- Doc. -/\ndef two : Nat :=\n  2 -- two\n\nexample : True := trivial\nend Sub\n",
        encoding="utf-8",
    )
    (folder / "Top.lean").write_text(
        "import Sub.Base\nimport Lean\n\nlemma Top.three : x\n  | 0 => y\n", encoding="utf-8"
    )
    top, base = read_corpus(folder)
    assert (base.path, base.imports, base.lines) == ("Sub/Base.lean", (), (7, 11))
    assert base.premises == (
        Premise("Sub.one", "@[simp]\ntheorem one (h : x := by simp) :\n    x"),
        Premise("Sub.two", "def two : Nat :=\n  2"),
    )
    assert (top.path, top.imports) == ("Top.lean", ("Sub/Base.lean",))
    assert top.premises == (Premise("Top.three", "lemma Top.three : x"),)


def test_premises_that_the_authors_leave_out(tmp_path: Path) -> None:
    names = ["good", None, "", "user__.n", "[a, b]"]
    premises = [{"full_name": name, "code": "c", "start": [1, 1], "end": [1, 2]} for name in names]
    premises.append({"full_name": "empty", "code": "", "start": [1, 1], "end": [1, 2]})
    file = tmp_path / "corpus.jsonl"
    file.write_text(json.dumps({"path": "A.lean", "imports": [], "premises": premises}) + "\n")
    [only] = read_corpus(file)
    assert [premise.name for premise in only.premises] == ["good"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]\n", "Line 1 of .* is no file of a corpus"),
        ('{"path": "A", "imports": []}', "Line 1 of .* is no file of a corpus"),
        ('{"path": "A", "imports": [], "premises": [{"full_name": "x", "code": "y"}]}', "Line 1"),
        ('{"path": "A", "imports": [], "premises": []}', "There are no premises in"),
    ],
)
def test_what_is_no_corpus_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "corpus.jsonl").write_text(content)
    with pytest.raises(RequestError, match=message):
        read_corpus(tmp_path / "corpus.jsonl")
    with pytest.raises(RequestError, match="There is no "):
        read_corpus(tmp_path / "nowhere")


async def test_an_index_that_cannot_be_used_says_why(index: Path, encoder: Path, tmp_path: Path) -> None:
    async def refused(folder: Path | str, kind: type[LlmstepError], message: str) -> None:
        with pytest.raises(kind, match=message):
            await Retriever(str(folder), "cpu").find(Goal("⊢ p"), None, 5, 60)

    await refused("", SettingsError, "index is empty")
    await refused(tmp_path, ModelLoadError, "holds no index")
    about = json.loads((index / "index.json").read_text())

    def damaged(**change: Any) -> None:
        (index / "index.json").write_text(json.dumps({**about, **change}))

    damaged(format=2)
    await refused(index, ModelLoadError, "another version")
    damaged(width=31)
    await refused(index, ModelLoadError, "do not belong together")
    damaged(encoder=str(tmp_path / "gone"))
    await refused(index, ModelNotFoundError, "There is no folder")
    damaged(encoder=str(index))
    await refused(index, ModelLoadError, "The retriever .* cannot be loaded")
    damaged()
    save_file({"vectors": torch.zeros(5, 32)}, index / "vectors.safetensors")
    await refused(index, ModelLoadError, "do not belong together")
    (index / "vectors.safetensors").write_bytes(b"short")
    await refused(index, ModelLoadError, "cannot be read")


def test_an_index_is_replaced_whole_and_nothing_else_is(index: Path, encoder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "A.lean").write_text("theorem only : True := trivial\n")
    assert "1 premises of 1 files" in run("index", "--corpus", project, "-o", index, "--encoder", encoder)
    assert [each.name for each in PremiseIndex.load(index).premises] == ["only"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".index")]
    with pytest.raises(RequestError, match="is no index"):
        run("index", "--corpus", project, "-o", project, "--encoder", encoder)
    assert (project / "A.lean").exists()
