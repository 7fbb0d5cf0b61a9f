"""Models as GGUF files, which llama.cpp runs: a file on the disk, or one of a repository on the hub."""

from __future__ import annotations

from pathlib import Path

from llmstep.catalog import store
from llmstep.catalog.files import CONFIG
from llmstep.catalog.recommended import PREFERENCE
from llmstep.catalog.registry import find_record
from llmstep.catalog.resolve import GGUF, ModelChoice, choice_of, resolve
from llmstep.errors import ModelError, ModelNotFoundError
from llmstep.settings import Settings

_HINT = "Set llmstep.model to a .gguf file, or owner/name/FILE.gguf on the hub."


def is_gguf(model: str) -> bool:
    """Whether the setting `model` names a GGUF file, or a folder that holds nothing else.

    A name that the user has given to one counts as well.
    """
    name = model.strip()
    record = find_record(name)
    if record is not None and record.added:
        name = record.repo_id
    is_file = name.lower().endswith(GGUF)
    if is_file or not store.is_path(name):
        return is_file
    folder = store.path_of(name)
    return not (folder / CONFIG).is_file() and any(folder.glob(f"*{GGUF}"))


def look_up(settings: Settings) -> ModelChoice:
    """The model that `settings.model` names, in whichever kind of file it is.

    Raises:
        ModelError: There is no such model, or its template is not known.
    """
    return choose_gguf(settings) if is_gguf(settings.model) else resolve(settings)


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
    source = name
    if record is not None:
        of_the_user = record.added and is_gguf(record.repo_id)
        source = record.repo_id if of_the_user else record.gguf.path if record.gguf else ""
    if store.is_path(source):
        source = _one_file(store.path_of(source).absolute())
    elif not store.repository(source)[1]:
        known_as = record.name if record else name
        raise ModelNotFoundError(f"No GGUF file of the model {known_as} is known.", hint=_HINT)
    return choice_of(source, record, settings)


def _best(settings: Settings) -> ModelChoice:
    for record in PREFERENCE:
        if record.gguf and settings.template in ("", record.template):
            choice = choice_of(record.gguf.path, record, settings)
            if choice.path is not None:
                return choice
    raise ModelNotFoundError("No GGUF file of a model of the catalog is on this machine.", hint=_HINT)


def _one_file(path: Path) -> str:
    """A file, or the only one of a folder."""
    files = [path] if path.is_file() else sorted(path.glob(f"*{GGUF}"))
    if len(files) > 1:
        raise ModelError(
            f"The folder {path} holds {len(files)} GGUF files.", hint="Set llmstep.model to the path of one of them."
        )
    if not files:
        raise ModelNotFoundError(f"There is no GGUF file {path}.", hint=_HINT)
    return str(files[0])
