"""Models as GGUF files, which llama.cpp runs: a file on the disk, or one of a repository on the hub."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from llmstep.catalog import store
from llmstep.catalog.files import CONFIG
from llmstep.catalog.models import gguf_file
from llmstep.catalog.recommended import PREFERENCE
from llmstep.catalog.registry import find_record
from llmstep.catalog.template import PromptTemplate
from llmstep.catalog.templates import guess_template, template_for
from llmstep.errors import ModelError, ModelNotFoundError
from llmstep.settings import Settings

SUFFIX = ".gguf"
_ON_HUB = re.compile(r"([\w.-]+/[\w.-]+)/([\w./-]+\.gguf)", re.IGNORECASE)
_EXAMPLE = "a .gguf file, or owner/name/FILE.gguf on the hub"


@attrs.frozen
class GgufChoice:
    """A GGUF file, named; it need not be here yet."""

    name: str
    """What to call the model: its name in the catalog, else as it was given."""
    template: PromptTemplate
    path: Path | None = None
    """The file, where it is on this machine."""
    repo_id: str = ""
    file: str = ""
    """Its name in the repository."""


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


def choose_gguf(settings: Settings) -> GgufChoice:
    """The GGUF file that `settings.model` names.

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
        return _choice(settings, name, name)
    file = gguf_file(record)
    of_the_user = record.added and is_gguf(record.repo_id)
    where = record.repo_id if of_the_user else file.path if file is not None else ""
    choice = _choice(settings, record.name, where, record.template)
    return attrs.evolve(choice, template=choice.template.stopping(record.stops))


def _best(settings: Settings) -> GgufChoice:
    for name in PREFERENCE:
        record = find_record(name)
        if record is not None and gguf_file(record) and settings.template in ("", record.template):
            choice = choose_gguf(attrs.evolve(settings, model=name))
            if choice.path is not None:
                return choice
    raise ModelNotFoundError(
        "No GGUF file of a model of the catalog is on this machine.", hint=f"Set llmstep.model to {_EXAMPLE}."
    )


def _choice(settings: Settings, name: str, where: str, template: str = "") -> GgufChoice:
    """
    Args:
        where: A path, or `owner/name/FILE.gguf`.
        template: The name of the model's template, where that is known.
    """
    if not store.is_path(where):
        found = _ON_HUB.fullmatch(where)
        if found is None:
            raise ModelNotFoundError(
                f"No GGUF file of the model {name} is known.", hint=f"Set llmstep.model to {_EXAMPLE}."
            )
        known = template_for(settings, name, template, guess_template(where, "causal"))
        return GgufChoice(name, known, store.cached_file(found[1], found[2]), found[1], found[2])
    path = _one_file(Path(where).expanduser())
    model = "/".join(path.parts[-2:])
    hinted = template or store.read_hints(path.parent)[0]
    return GgufChoice(name, template_for(settings, model, hinted, guess_template(model, "causal")), path)


def _one_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = _files(path)
    if len(files) == 1:
        return files[0]
    if files:
        raise ModelError(
            f"The folder {path} holds {len(files)} GGUF files.", hint="Set llmstep.model to the path of one of them."
        )
    raise ModelNotFoundError(f"There is no GGUF file {path}.", hint=f"Set llmstep.model to {_EXAMPLE}.")


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.glob(f"*{SUFFIX}") if each.is_file()) if folder.is_dir() else []
