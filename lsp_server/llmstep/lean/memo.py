"""The latest results of something, by keys."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from cachetools import LRUCache

T = TypeVar("T")


class Memo(LRUCache[str, T]):
    """The latest results."""

    def put(self, key: str, value: T) -> None:
        self[key] = value


def digest(text: str) -> str:
    """A short name of a text, which may be as long as a file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
