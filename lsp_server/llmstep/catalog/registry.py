"""All models that have a record: those of the catalog, and the user's own."""

from __future__ import annotations

from llmstep.catalog.added import added_records
from llmstep.catalog.models import CATALOG, ModelRecord, find_in_catalog


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
