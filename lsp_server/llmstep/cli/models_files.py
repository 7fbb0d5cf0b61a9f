"""`llmstep models download` and `remove`: a model's files, onto this machine and away from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from llmstep.cli.complete import model_names
from llmstep.cli.downloads import ask
from llmstep.cli.flags import YesOption
from llmstep.cli.say import say, say_json
from llmstep.errors import ModelNotFoundError, RequestError
from llmstep.wire.models import DownloadOutput

NameArgument = Annotated[
    str, typer.Argument(help="Catalog name, hub id, or owner/name/FILE.gguf.", autocompletion=model_names)
]


def download(
    name: NameArgument,
    yes: YesOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print {model, folder, bytes} at the end.")] = False,
) -> None:
    """Download a model, with progress; its size is said first.

    Example: llmstep models download byt5-small --yes
    """
    from llmstep.catalog.resolve import source_of
    from llmstep.catalog.store import cache_path, is_path, missing

    if is_path(name):
        raise RequestError(f"{name} is a folder of this machine.", hint="Give a catalog name or a hub id.")
    source, code = source_of(name)
    wanted, here, size = missing(source, code=code), cache_path(source), 0
    if wanted:
        from llmstep.hub.download import download_bytes
        from llmstep.progress import format_bytes

        size = download_bytes(wanted, code=code)
        say(f"{name}: {format_bytes(size)} to download", err=True)
        if not yes:
            ask(name, size)
        here = _fetch(source, code=code)
    if as_json:
        say_json(DownloadOutput(model=name, folder=str(here), bytes=size))
    else:
        say(f"{name} is on this machine{' already' if not wanted else ''}: {here}")


def remove(name: NameArgument, yes: YesOption = False) -> None:
    """Remove a model of your own from the list, its files stay; or the files of a downloaded one from the cache.

    Example: llmstep models remove byt5-small
    """
    from llmstep.catalog import registry
    from llmstep.catalog.registry import find_record

    record = find_record(name)
    repo_id = record.repo_id if record is not None else name
    if (record is not None and record.added) or "/" not in repo_id:
        removed = registry.remove(name)
        say(f"Removed {removed.name} ({removed.repo_id}); its files are left alone.")
        return
    _remove_files(name, "/".join(repo_id.split("/")[:2]), yes=yes)


def _remove_files(name: str, repo_id: str, *, yes: bool) -> None:
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    from llmstep.progress import format_bytes

    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        found = None
    else:
        found = next((each for each in cache.repos if each.repo_type == "model" and each.repo_id == repo_id), None)
    if found is None:
        raise ModelNotFoundError(
            f"Nothing of the model {name} is in {constants.HF_HUB_CACHE}.", hint="`llmstep models` says what is here."
        )
    size = format_bytes(found.size_on_disk)
    if not yes:
        if not sys.stdin.isatty():
            raise RequestError(f"The files of {name} take {size}.", hint="Give --yes to remove them.")
        if not typer.confirm(f"Remove {size} of {found.repo_path}?", err=True):
            raise typer.Exit(1)
    cache.delete_revisions(*(each.commit_hash for each in found.revisions)).execute()
    say(f"Removed the files of {name}; {size} are free again.")


def _fetch(source: str, *, code: bool) -> Path:
    from llmstep.catalog.store import cached_weights, repository
    from llmstep.cli.options import configured
    from llmstep.cli.progress import shown_progress
    from llmstep.engine.own_decoder import compile_for
    from llmstep.hub.download import fetch_with_base

    with shown_progress() as show:
        here = fetch_with_base(source, progress=show, code=code)
        weights = None if repository(source)[1] else cached_weights(source)
        if weights is not None:
            compile_for(weights[0], configured({}).settings, show)
    return here
