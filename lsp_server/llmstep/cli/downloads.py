"""Agreement to downloads: how much one brings is said first, and nothing large is downloaded unasked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from llmstep.cli.say import say
from llmstep.errors import DownloadError, RequestError
from llmstep.settings import Settings

LARGE = 50_000_000
"""Bytes from which on a download is asked about."""


def agree(settings: Settings, *, yes: bool) -> None:
    """Have the user agree to what the model of the settings and its retriever have to bring.

    Raises:
        RequestError: There is nobody to ask, and `yes` was not given.
        DownloadError: The user does not agree, or the hub cannot be asked.
    """
    if not yes:
        for name, source, code in (*_model(settings), *_encoder(settings)):
            _agree(name, source, code=code)


def agree_to(name: str, *, yes: bool) -> None:
    """The same for one model, by a name of the catalog, a hub id or a folder."""
    from llmstep.catalog.registry import find_record

    record = find_record(name)
    source = record.repo_id if record is not None else name
    if not yes and "/" in source and not Path(name).is_dir():
        _agree(name, source)


def ask(name: str, size: int) -> None:
    """Have the user agree to the download of so many bytes, where that is large; see `agree`."""
    from huggingface_hub import constants

    from llmstep.progress import format_bytes

    if size < LARGE:
        return
    said = f"The model {name} is not on this machine; {format_bytes(size)} would come from {constants.ENDPOINT}."
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise RequestError(said, hint=f"Agree with --yes, or run `llmstep models download {name} --yes` first.")
    say(said, err=True)
    if not typer.confirm("Download it?", err=True):
        raise DownloadError(
            f"The model {name} was not downloaded.", hint="`llmstep models` lists those on this machine."
        )


def _agree(name: str, source: str, *, code: bool = False) -> None:
    from llmstep.catalog.store import missing

    wanted = missing(source, code=code)
    if wanted:
        from llmstep.hub.download import download_bytes  # takes long to import

        ask(name if wanted == source else wanted, download_bytes(wanted, code=code and wanted == source))


def _model(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """Name and source of the model, and whether it may run Python code of its own; none where a server has it."""
    from llmstep.engine.served.launches import choose

    if not settings.remote.url and (settings.in_process or settings.starts_server):
        choice = choose(settings)
        yield choice.name, choice.source, choice.trust_remote_code


def _encoder(settings: Settings) -> Iterator[tuple[str, str, bool]]:
    """The retriever that made the index of premises."""
    from llmstep.catalog.files import read_json
    from llmstep.catalog.store import path_of

    if settings.premises.source == "index" and settings.premises.index:
        name = read_json(path_of(settings.premises.index) / "index.json").get("encoder")
        if isinstance(name, str) and "/" in name:
            yield name, name, False
