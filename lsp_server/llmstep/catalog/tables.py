"""The data of the catalog: tables of TOML beside the code, read into records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

from cattrs import Converter

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

T = TypeVar("T")

_CONVERTER = Converter(forbid_extra_keys=True)


def read_tables(file: str, kind: type[T]) -> dict[str, T]:
    """The records of a file, by the names of their tables.

    `like` takes what a table does not say from another one, and `also` stands for another one.
    """
    tables: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / file).read_text(encoding="utf-8"))

    def whole(name: str) -> dict[str, Any]:
        own = dict(tables[name])
        fields = {**(whole(own.pop("like")) if "like" in own else {}), **own, "name": name}
        return {**fields, "also": whole(fields["also"])} if "also" in own else fields

    return {name: _CONVERTER.structure(whole(name), kind) for name in tables}
