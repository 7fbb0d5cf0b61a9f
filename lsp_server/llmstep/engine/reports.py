"""What transformers says while it works: nothing on the error stream, and its bar as progress."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import transformers
from tqdm.std import tqdm

from llmstep.cancel import CancelToken
from llmstep.progress import Progress, ProgressSink


@contextlib.contextmanager
def loading_bar(message: str, progress: ProgressSink, cancel: CancelToken) -> Iterator[None]:
    """Turn the bar that transformers draws while it loads weights into progress."""

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self.counts = kwargs.get("desc") == "Loading weights"

        def __iter__(self) -> Iterator[Any]:
            for index, item in enumerate(self.iterable):
                cancel.check("Loading the model was cancelled.")
                if self.counts:
                    progress(Progress("load", message, index, len(self.iterable)))
                yield item

    set_hook = getattr(transformers.utils.logging, "set_tqdm_hook", lambda hook: None)
    previous = set_hook(lambda _factory, args, kwargs: Bar(*args, **kwargs))
    try:
        yield
    finally:
        set_hook(previous)


def first_line(error: Exception) -> str:
    """The beginning of what a library says, to be put in brackets."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".:")[:200] if lines else type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No reports and warnings of transformers on the error stream; what matters is raised."""
    logging = transformers.utils.logging
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
