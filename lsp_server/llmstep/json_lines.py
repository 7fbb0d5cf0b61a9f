"""Records from files that have one in JSON on each line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from llmstep.errors import RequestError
from llmstep.strict_json import JsonError, loads
from llmstep.wire.bounds import WrongValue
from llmstep.wire.reading import BODIES, MISSING

T = TypeVar("T")


def read_lines(file: Path, cls: type[T], what: str, form: str) -> Iterator[tuple[int, T]]:
    """The records of a file and the numbers of their lines, from 1; blank lines and unknown fields are passed over.

    Args:
        cls: The class of the records.
        what: What a line should be, without an article.
        form: What such a line looks like.

    Raises:
        RequestError: The file cannot be read, or a line is no such record; the line is named.
    """

    def wrong(name: str, error: WrongValue | JsonError) -> RequestError:
        if isinstance(error, JsonError):
            why = f"it {error}"
        else:
            why = f"{name} is missing" if error.wanted == MISSING else f"{name or 'it'} must be {error.wanted}"
        return RequestError(f"Line {number} of {file} is no {what}: {why}.", hint=f"Each line has the form {form}.")

    try:
        with file.open(encoding="utf-8", newline="\n") as lines:  # other ends of lines, U+2028 too, stand in texts
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, BODIES.read(cls, loads(line), wrong)
    except JsonError as error:
        raise wrong("", error) from None
    except OSError as error:
        raise RequestError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from None
    except UnicodeDecodeError:
        raise RequestError(f"{file} is not UTF-8.", hint="Save it as UTF-8.") from None
