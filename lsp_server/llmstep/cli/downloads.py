"""Agreement to downloads: how much one brings is said first, and nothing large is downloaded unasked."""

from __future__ import annotations

import sys
from pathlib import Path

import attrs
import typer

from llmstep.cli.say import say
from llmstep.errors import DownloadError, RequestError
from llmstep.settings import Settings

LARGE = 50_000_000
"""Bytes from which on a download is asked about."""


@attrs.frozen
class Wanted:
    """Something on the hub that is not on this machine."""

    name: str
    """What the user calls it."""
    repo_id: str
    code: bool = False
    file: str = ""
    """One file of the repository, for llama.cpp."""

    def bytes(self) -> int:
        """Bytes to come, as the hub says.

        Raises:
            LlmstepError: The hub cannot be asked.
        """
        from llmstep.hub.download import download_bytes

        return download_bytes(self.repo_id, code=self.code, file=self.file)


def agree(settings: Settings, *, yes: bool) -> None:
    """Have the user agree to what the model of the settings and its retriever have to bring.

    Raises:
        RequestError: There is nobody to ask, and `yes` was not given.
        DownloadError: The user does not agree, or the hub cannot be asked.
    """
    for wanted in (_model(settings), _encoder(settings)):
        if wanted is not None and not yes:
            ask(wanted, wanted.bytes())


def agree_to(name: str, *, yes: bool) -> None:
    """The same for one model, by a name of the catalog, a hub id or a folder."""
    from llmstep.catalog.registry import find_record

    record = find_record(name)
    repo_id = record.repo_id if record is not None else name
    if yes or Path(name).is_dir() or "/" not in repo_id:
        return
    wanted = wanted_model(name, repo_id)
    if wanted is not None:
        ask(wanted, wanted.bytes())


def ask(wanted: Wanted, size: int) -> None:
    """Have the user agree to one download of so many bytes, where it is large; see `agree`."""
    from huggingface_hub import constants

    from llmstep.progress import format_bytes

    if size < LARGE:
        return
    said = f"The model {wanted.name} is not on this machine; {format_bytes(size)} would come from {constants.ENDPOINT}."
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(said, hint=f"Agree with --yes, or run `llmstep models download {wanted.name} --yes` first.")
    say(said, err=True)
    if not typer.confirm("Download it?", err=True):
        raise DownloadError(
            f"The model {wanted.name} was not downloaded.", hint="`llmstep models` lists those on this machine."
        )


def wanted_model(name: str, repo_id: str, *, code: bool = False) -> Wanted | None:
    """A model by its hub id or folder; None where nothing of it is missing."""
    from llmstep.catalog.store import adapter_base, is_path

    if is_path(repo_id):
        folder: Path | None = Path(repo_id).expanduser()
    else:
        from llmstep.hub.download import cached_folder  # takes long to import

        folder = cached_folder(repo_id, code=code)
    if folder is None:
        return Wanted(name, repo_id, code)
    base = adapter_base(folder) if folder.is_dir() else None
    return wanted_model(base, base) if base else None


def _model(settings: Settings) -> Wanted | None:
    from llmstep.catalog.gguf import choose_gguf
    from llmstep.catalog.resolve import resolve
    from llmstep.engine.served.launches import prefers_llama_cpp

    if settings.remote.url or not (settings.in_process or settings.starts_server):
        return None
    if prefers_llama_cpp(settings):
        file = choose_gguf(settings)
        return Wanted(file.name, file.repo_id, file=file.file) if file.path is None else None
    choice = resolve(settings)
    return wanted_model(choice.name, choice.source, code=choice.trust_remote_code)


def _encoder(settings: Settings) -> Wanted | None:
    """The retriever that made the index of premises."""
    from llmstep.catalog.files import read_json

    if settings.premises.source != "index" or not settings.premises.index:
        return None
    name = read_json(Path(settings.premises.index).expanduser() / "index.json").get("encoder")
    return wanted_model(name, name) if isinstance(name, str) and "/" in name else None
