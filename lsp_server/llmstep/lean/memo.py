"""The latest results of something, by keys."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """The latest results."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        if key in self._known:
            self._known.move_to_end(key)
        return self._known.get(key)

    def put(self, key: str, value: T) -> None:
        self._known[key] = value
        self._known.move_to_end(key)
        while len(self._known) > self._size:
            self._known.popitem(last=False)


def digest(text: str) -> str:
    """A short name of a text, which may be as long as a file."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
