"""All models that have a record: those of the catalog, and the user's own.

The user's are in a file of their configuration folder, written by `llmstep models add`:
`{"models": [{"name", "model", "template", "stops", "trustRemoteCode"}]}`; `model` is their source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import platformdirs

from llmstep.catalog.models import CATALOG, ModelRecord, find_in_catalog
from llmstep.catalog.templates import get_template
from llmstep.errors import RequestError, SettingsError
from llmstep.whole_file import whole_file

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_KEYS = {
    "name": "name",
    "model": "repo_id",
    "template": "template",
    "stops": "stops",
    "trustRemoteCode": "trust_remote_code",
}
"""The names in the file, and those of a record's fields."""


def all_records() -> tuple[ModelRecord, ...]:
    """The catalog, and the user's models behind it.

    Raises:
        SettingsError: The file with the user's models cannot be read.
    """
    return (*CATALOG, *added_records())


def find_record(name_or_id: str) -> ModelRecord | None:
    """The record with this name, alias or hub id; upper and lower case are the same.

    Raises:
        SettingsError: It is none of the catalog, and the file with the user's models cannot be read.
    """
    name = name_or_id.strip().lower()
    found = find_in_catalog(name)
    if found is not None or not name or "/" in name:
        return found
    return next((record for record in added_records() if record.name.lower() == name), None)


def file() -> Path:
    """Where the user's models are kept."""
    return platformdirs.user_config_path("llmstep") / "models.json"


def own_record(
    name: str, source: str, template: str, stops: Iterable[str] = (), *, trust_remote_code: bool = False
) -> ModelRecord:
    """A record of a model of the user's."""
    known = find_in_catalog(source)
    return ModelRecord(
        name=name,
        repo_id=source,
        template=template,
        summary="Your own",
        family=get_template(template).family,
        stops=tuple(stops),
        trust_remote_code=trust_remote_code,
        gguf=known.gguf if known is not None else None,
        added=True,
    )


def added_records() -> tuple[ModelRecord, ...]:
    """The user's models, in the order they were added.

    Raises:
        SettingsError: The file is not what `llmstep models add` writes.
    """
    try:
        content = file().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise _unreadable(error.strerror or str(error)) from None
    try:
        return tuple(_read(each) for each in json.loads(content)["models"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(f"{type(error).__name__}: {error}") from None


def add(record: ModelRecord) -> bool:
    """Keep a model whose name is right (`check_name`); whether it took the place of one of that name.

    Raises:
        SettingsError: The file cannot be read or written.
    """
    before = added_records()
    others = [each for each in before if each.name.lower() != record.name.lower()]
    _write([*others, record])
    return len(others) < len(before)


def remove(name: str) -> ModelRecord:
    """Forget a model; its files stay.

    Raises:
        RequestError: There is none of that name among the user's.
        SettingsError: The file cannot be read or written.
    """
    records = added_records()
    found = next((each for each in records if each.name.lower() == name.strip().lower()), None)
    if found is None:
        names = ", ".join(each.name for each in records)
        raise RequestError(
            f"There is no model {name!r} of your own.",
            hint=f"Yours are {names}." if names else "You have added none; the one that comes with llmstep stays.",
        )
    _write([each for each in records if each is not found])
    return found


def check_name(name: str) -> None:
    """
    Raises:
        RequestError: A model of the user's cannot have this name.
    """
    if not _NAME.fullmatch(name) or name.lower() == "auto":
        raise RequestError(
            f"A model cannot be called {name!r}.", hint="Use letters, digits, '-', '_' and '.', and not auto."
        )
    known = find_in_catalog(name)
    if known is not None:
        raise RequestError(f"{name} is a name of {known.name} in the catalog.", hint="Choose another name.")


def _read(raw: dict[str, Any]) -> ModelRecord:
    stops = raw.get("stops") or []
    if not all(isinstance(stop, str) and stop for stop in stops):
        raise ValueError("stops are no texts")
    name, source, template = (str(raw[key]) for key in ("name", "model", "template"))
    return own_record(name, source, template, stops, trust_remote_code=bool(raw.get("trustRemoteCode")))


def _write(records: list[ModelRecord]) -> None:
    models = [{key: getattr(each, field) for key, field in _KEYS.items()} for each in records]
    place = file()
    try:
        with whole_file(place) as new:
            new.write_text(json.dumps({"models": models}, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"Your models cannot be written to {place}: {error.strerror}.", hint="Make that folder writable."
        ) from None


def _unreadable(why: str) -> SettingsError:
    return SettingsError(f"The file {file()} with your models cannot be read: {why}.", hint="Correct or remove it.")
