"""One hierarchy for everything that can go wrong in a way the user can act on.

The message is one plain sentence that says what happened; `hint` is one that says what to do next;
`retryable` says whether the same request may succeed later without anything being changed.
"""

from __future__ import annotations

from llmstep.printable import printable


class LlmstepError(Exception):
    """Base of all errors that are shown to the user.

    Both texts are made fit for a terminal: they may quote file names, Lean and other servers.

    Args:
        message: One plain sentence: what happened.
        hint: One plain sentence: what to do next.
    """

    retryable: bool = False
    code: str = "error"
    """For programs; a class below has that of its base unless it gives another."""

    def __init_subclass__(cls, *, code: str = "", retryable: bool | None = None) -> None:
        if code:
            cls.code = code
        if retryable is not None:
            cls.retryable = retryable

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(printable(message))
        self.message = printable(message)
        self.hint = printable(hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SettingsError(LlmstepError, code="settings"):
    """A setting has a wrong name, type or value."""


class ModelError(LlmstepError, code="model"):
    """A model cannot be found, read or run."""


class ModelNotFoundError(ModelError, code="model_not_found"):
    """No such model in the cache, on disk or on the hub."""


class ModelLoadError(ModelError, code="model_load"):
    """The files of a model are there but cannot be loaded."""


class MissingPackageError(ModelError, code="missing_package"):
    """The model needs a package that a plain installation does not have."""


class ModelTooLargeError(ModelError, code="model_too_large"):
    """The model does not fit into the memory of the device."""


class DownloadError(ModelError, code="download", retryable=True):
    """The download of a model failed."""


class GenerationError(ModelError, code="generation", retryable=True):
    """The model failed while generating."""


class RemoteError(ModelError, code="remote", retryable=True):
    """The server that runs the model is not there, is too slow, or its answer is of no use."""


class RemoteRefusedError(ModelError, code="remote_refused"):
    """The server that runs the model does not take the request: no right, no such model or page, no such field."""


class CancelledError(LlmstepError, code="cancelled", retryable=True):
    """The request was cancelled by the user, by an edit, or because its caller went away."""


class BusyError(LlmstepError, code="busy", retryable=True):
    """Too many requests wait already."""


class LeanError(LlmstepError, code="lean"):
    """The Lean server cannot be started or does not answer."""


class LeanNotFoundError(LeanError, code="lean_not_found"):
    """No Lean command was found."""


class LeanTimeoutError(LeanError, code="lean_timeout", retryable=True):
    """Lean did not answer in time."""


class LeanImportsError(LeanError, code="lean_imports"):
    """Imports of a file are missing or out of date."""


class LeanProjectError(LeanError, code="lean_project"):
    """Lake cannot read the configuration of a project."""


class LeanMemoryError(LeanError, code="lean_memory"):
    """Lean was ended because it took more memory than it may."""


class EditorLeanError(LeanError, code="editor_lean"):
    """The Lean server that the editor runs failed."""


class EditorLeanTimeoutError(LeanTimeoutError, code="editor_lean_timeout"):
    """The Lean server that the editor runs did not answer in time."""


class LeanCrashedError(LeanError, code="lean_crashed", retryable=True):
    """The Lean server, or its worker for this file, died."""


class NoGoalError(LlmstepError, code="no_goal"):
    """There is no goal at this position."""


class StepFailsError(NoGoalError):
    """There is no goal at this position, as behind a step that fails or does not parse."""


class RequestError(LlmstepError, code="request"):
    """A request to one of the faces (command line, HTTP, LSP command) is malformed."""


class ContextLengthError(RequestError, code="context_length_exceeded"):
    """A prompt has more tokens than the model reads."""


def causes(error: BaseException) -> list[BaseException]:
    """An error, what caused it, what caused that, and so on; such chains can be circular."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or following.__context__
    return chain
