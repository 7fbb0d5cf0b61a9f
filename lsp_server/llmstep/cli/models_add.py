"""`llmstep models add`: models of the user's own, by a name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from llmstep.cli.flags import Given, takes_settings
from llmstep.cli.say import say, say_json
from llmstep.errors import ModelNotFoundError, RequestError
from llmstep.wire.models import AddOutput

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord
    from llmstep.catalog.resolve import ModelChoice
    from llmstep.catalog.template import PromptTemplate
    from llmstep.settings import Settings
    from llmstep.types import PromptInput

_OF_GGUF = re.compile(r"gguf\b", re.IGNORECASE)
_OF_MLX = re.compile(r"(?:^|[/_.-])mlx(?:[/_.-]|$)", re.IGNORECASE)
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}


@takes_settings("template", "trust_remote_code")
def add(
    name: Annotated[str, typer.Argument(help="What to call it, in the settings and with --model.")],
    model: Annotated[
        str, typer.Argument(help="Its id on the Hugging Face hub, a folder, or a GGUF file: owner/name/FILE.gguf.")
    ],
    stop: Annotated[
        list[str] | None,
        typer.Option(help="Text that ends an answer, beside those of the template; \\n is a line break."),
    ] = None,
    goal_file: Annotated[
        Path | None, typer.Option(help="Goal for the prompt that is shown; default an example.", show_default=False)
    ] = None,
    prefix: Annotated[str, typer.Option(help="Prefix for the prompt that is shown.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the prompt, and keep nothing.")] = False,
    *,
    given: Given,
    as_json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> None:
    """Add a model of your own, and show the exact prompt that it will be given.

    Nothing is downloaded. Where the tokenizer is on this machine, the tokens are counted.

    Example: llmstep models add mine ./models/mine --template ntp-st --stop "\\n\\n"
    """
    from llmstep.catalog import registry
    from llmstep.catalog.models import find_in_catalog
    from llmstep.catalog.store import is_path, path_of

    registry.check_name(name)
    if is_path(model) or (find_in_catalog(model) is None and Path(model).exists()):
        model = str(path_of(model).resolve())
    settings = given.settings(model=model)
    choice = _addable(settings)
    source, template, stops = choice.source, choice.template, map(_unescaped, stop or ())
    record = registry.own_record(name, source, template.name, stops, trust_remote_code=settings.trust_remote_code)
    found = _dry_run(record, template.stopping(record.stops), goal_file, prefix)
    if not dry_run:
        found = attrs.evolve(found, saved=True, replaced=registry.add(record))
    if as_json:
        say_json(found)
    else:
        _print(found)


def _addable(settings: Settings) -> ModelChoice:
    """The model of the settings, which can be loaded as far as its name and the files that are here say.

    Raises:
        RequestError: It can never be loaded as it is; the hint says what can.
        ModelError: There is no such model, or its template is not known.
    """
    from llmstep.catalog.gguf import choose_gguf, is_gguf
    from llmstep.catalog.resolve import resolve
    from llmstep.engine.served.launches import llama_server

    model = settings.model
    if is_gguf(model):
        file = choose_gguf(settings)
        if not llama_server():
            raise RequestError(
                f"The model {model} is a GGUF file, which llama.cpp runs, and llama.cpp is not installed.",
                hint="Install it with `pip install 'llmstep[gguf]'`, and add the model again.",
            )
        return file
    _refuse_what_is_never_loaded(model)
    found = resolve(settings)
    if found.record is not None and found.record.bundled:
        raise RequestError("The starter has a name already.", hint="Give the id or folder of another model.")
    return found


def _refuse_what_is_never_loaded(model: str) -> None:
    """Weights in a form that is not loaded from a repository, by its name, and an adapter whose base is not there."""
    from llmstep.catalog.models import CATALOG
    from llmstep.catalog.store import adapter_base, cache_path, is_path, path_of

    folder = cache_path(model)
    if not is_path(model) and folder is None and _OF_GGUF.search(model):
        files = (each.gguf.path for each in CATALOG if each.gguf is not None)
        known = next((path for path in files if path.lower().startswith(f"{model.lower()}/")), "")
        raise RequestError(
            f"{model} is a repository of GGUF files, of which llama.cpp runs one.",
            hint=f"Name the file: {known or model + '/FILE.gguf'}; it needs `pip install 'llmstep[gguf]'`.",
        )
    if not is_path(model) and _OF_MLX.search(model):
        raise RequestError(
            f"{model} holds weights for MLX, which llmstep does not run.",
            hint="Start `mlx_lm.server` with it, and set llmstep.engine to openai with llmstep.remote.url.",
        )
    base = adapter_base(folder) if folder is not None else None
    if base is not None and is_path(base) and not path_of(base).is_dir():
        raise ModelNotFoundError(
            f"The model {model} is a LoRA adapter for {base}, and there is no such folder.",
            hint="Put the base there, or set base_model_name_or_path in its adapter_config.json to where it is.",
        )


def _dry_run(record: ModelRecord, template: PromptTemplate, goal_file: Path | None, prefix: str) -> AddOutput:
    """The prompts for a goal, one or two, with the number of their tokens where the tokenizer is here."""
    from llmstep.catalog.store import cache_path, is_cached
    from llmstep.engine.own_decoder import read_tokenizer
    from llmstep.engine.prompt import encode, fitted_text
    from llmstep.engine.remote.questions import tokens as about

    prompt_input = _example(goal_file, prefix)
    parts = [each for each, _ in template.draws(prompt_input, 2)]
    folder = cache_path(record) if is_cached(record) else None
    count, lengths = about, None
    if folder is not None and folder.is_dir():  # a GGUF file holds its tokenizer
        tokenizer = read_tokenizer(folder, record.name, trust_remote_code=record.trust_remote_code)
        encoded = (encode(each, prompt_input, tokenizer, each.max_prompt_tokens) for each in parts)
        lengths = tuple(len(each.input_ids) for each in encoded)

        def count(text: str) -> int:
            return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return AddOutput(
        name=record.name,
        model=record.repo_id,
        template=template.name,
        stops=template.stops,
        prompts=tuple(fitted_text(each, prompt_input, count, each.max_prompt_tokens) for each in parts),
        decoder=template.decoder_text(prompt_input),
        tokens=lengths,
        saved=False,
        replaced=False,
    )


def _example(goal_file: Path | None, prefix: str) -> PromptInput:
    from llmstep.lean.file_text import read_text
    from llmstep.types import Goal, PromptInput

    goal = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q" if goal_file is None else read_text(goal_file)
    file = "theorem example_1 (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  "
    return PromptInput(Goal.from_state(goal), prefix, file, "example_1")


def _print(found: AddOutput) -> None:
    what = "Replaced" if found.replaced else "Added" if found.saved else "Would add"
    say(f"{what} {found.name}: {found.model}, template {found.template}")
    for number, prompt in enumerate(found.prompts):
        tokens = f"{found.tokens[number]} tokens" if found.tokens else "its tokenizer is not on this machine yet"
        say(f"--- prompt for an example ({tokens}) ---")
        say(prompt)
        say("--- end of the prompt ---")
    if found.decoder:
        say(f"The decoder starts with: {found.decoder!r}")
    stops = ", ".join(map(repr, found.stops))
    say(f"An answer ends at the model's end token{f', or at {stops}' if stops else ''}.")
    if found.saved:
        say(f"Use it with: llmstep suggest FILE:1:1 --model {found.name}")


def _unescaped(stop: str) -> str:
    text, rest = "", stop
    while rest:
        escape = _ESCAPES.get(rest[:2])
        text, rest = (text + escape, rest[2:]) if escape is not None else (text + rest[0], rest[1:])
    if not text:
        raise RequestError("A stop is empty.", hint="Give a text that ends an answer.")
    return text
