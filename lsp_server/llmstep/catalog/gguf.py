"""Models as GGUF files, which llama.cpp runs: a file on the disk, or one of a repository on the hub."""

from __future__ import annotations

from pathlib import Path

import attrs

from llmstep.catalog import store
from llmstep.catalog.files import CONFIG
from llmstep.catalog.recommended import PREFERENCE
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import ModelChoice
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template, template_for
from llmstep.errors import ModelError, ModelNotFoundError
from llmstep.settings import Settings

SUFFIX = ".gguf"
_EXAMPLE = "a .gguf file, or owner/name/FILE.gguf on the hub"


def is_gguf(model: str) -> bool:
    """Whether the setting `model` names a GGUF file, or a folder that holds nothing else.

    A name that the user has given to one counts as well.
    """
    name = model.strip()
    record = find_record(name)
    if record is not None and record.added:
        name = record.repo_id
    if name.lower().endswith(SUFFIX):
        return True
    if not store.is_path(name):
        return False
    folder = Path(name).expanduser()
    return not (folder / CONFIG).is_file() and bool(_files(folder))


def choose_gguf(settings: Settings) -> ModelChoice:
    """The GGUF file that `settings.model` names; it need not be here yet.

    That is a path, an id `owner/name/FILE.gguf`, a model of the catalog for which a file is known, or `auto`: the best
    model of the catalog whose file is here.

    Raises:
        ModelError: There is no such file, or its template is not known.
    """
    name = settings.model.strip()
    if name.lower() == "auto":
        return _best(settings)
    record = find_record(name)
    if record is None:
        source = _source(name, name)
        return ModelChoice(source, _template(settings, source))
    of_the_user = record.added and is_gguf(record.repo_id)
    source = _source(record.name, record.repo_id if of_the_user else record.gguf.path if record.gguf else "")
    return ModelChoice(source, _template(settings, source, record.template).stopping(record.stops), record)


def _best(settings: Settings) -> ModelChoice:
    for record in PREFERENCE:
        if record.gguf and settings.template in ("", record.template):
            choice = choose_gguf(attrs.evolve(settings, model=record.name))
            if choice.path is not None:
                return choice
    raise ModelNotFoundError(
        "No GGUF file of a model of the catalog is on this machine.", hint=f"Set llmstep.model to {_EXAMPLE}."
    )


def _source(name: str, where: str) -> str:
    """A file by its path, of a folder the only one; or by its id on the hub."""
    if not store.is_path(where):
        if not store.repository(where)[1]:
            raise ModelNotFoundError(
                f"No GGUF file of the model {name} is known.", hint=f"Set llmstep.model to {_EXAMPLE}."
            )
        return where
    path = Path(where).expanduser().absolute()
    files = [path] if path.is_file() else _files(path)
    if len(files) > 1:
        raise ModelError(
            f"The folder {path} holds {len(files)} GGUF files.", hint="Set llmstep.model to the path of one of them."
        )
    if not files:
        raise ModelNotFoundError(f"There is no GGUF file {path}.", hint=f"Set llmstep.model to {_EXAMPLE}.")
    return str(files[0])


def _template(settings: Settings, source: str, known: str = "") -> PromptTemplate:
    if not store.is_path(source):
        return template_for(settings, source, known, guess_template(source, "causal"))
    path = Path(source)
    model = "/".join(path.parts[-2:])
    return template_for(settings, model, known or store.read_hints(path.parent)[0], guess_template(model, "causal"))


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.glob(f"*{SUFFIX}") if each.is_file()) if folder.is_dir() else []
