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

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(printable(message))
        self.message = printable(message)
        self.hint = printable(hint)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class SettingsError(LlmstepError):
    """A setting has a wrong name, type or value."""

    code = "settings"


class ModelError(LlmstepError):
    """A model cannot be found, read or run."""

    code = "model"


class ModelNotFoundError(ModelError):
    """No such model in the cache, on disk or on the hub."""

    code = "model_not_found"


class ModelLoadError(ModelError):
    """The files of a model are there but cannot be loaded."""

    code = "model_load"


class MissingPackageError(ModelError):
    """The model needs a package that a plain installation does not have."""

    code = "missing_package"


class ModelTooLargeError(ModelError):
    """The model does not fit into the memory of the device."""

    code = "model_too_large"


class DownloadError(ModelError):
    """The download of a model failed."""

    code = "download"
    retryable = True


class GenerationError(ModelError):
    """The model failed while generating."""

    code = "generation"
    retryable = True


class RemoteError(ModelError):
    """The server that runs the model is not there, is too slow, or its answer is of no use."""

    code = "remote"
    retryable = True


class RemoteRefusedError(ModelError):
    """The server that runs the model does not take the request: no right, no such model or page, no such field."""

    code = "remote_refused"


class CancelledError(LlmstepError):
    """The request was cancelled by the user, by an edit, or because its caller went away."""

    code = "cancelled"
    retryable = True


class BusyError(LlmstepError):
    """Too many requests wait already."""

    code = "busy"
    retryable = True


class LeanError(LlmstepError):
    """The Lean server cannot be started or does not answer."""

    code = "lean"


class LeanNotFoundError(LeanError):
    """No Lean command was found."""

    code = "lean_not_found"


class LeanTimeoutError(LeanError):
    """Lean did not answer in time."""

    code = "lean_timeout"
    retryable = True


class LeanImportsError(LeanError):
    """Imports of a file are missing or out of date."""

    code = "lean_imports"


class LeanProjectError(LeanError):
    """Lake cannot read the configuration of a project."""

    code = "lean_project"


class LeanMemoryError(LeanError):
    """Lean was ended because it took more memory than it may."""

    code = "lean_memory"


class EditorLeanError(LeanError):
    """The Lean server that the editor runs failed."""

    code = "editor_lean"


class EditorLeanTimeoutError(LeanTimeoutError):
    """The Lean server that the editor runs did not answer in time."""

    code = "editor_lean_timeout"


class LeanCrashedError(LeanError):
    """The Lean server, or its worker for this file, died."""

    code = "lean_crashed"
    retryable = True


class NoGoalError(LlmstepError):
    """There is no goal at this position."""

    code = "no_goal"


class StepFailsError(NoGoalError):
    """There is no goal at this position, as behind a step that fails or does not parse."""


class RequestError(LlmstepError):
    """A request to one of the faces (command line, HTTP, LSP command) is malformed."""

    code = "request"


class ContextLengthError(RequestError):
    """A prompt has more tokens than the model reads."""

    code = "context_length_exceeded"


def causes(error: BaseException) -> list[BaseException]:
    """An error, what caused it, what caused that, and so on; such chains can be circular."""
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or following.__context__
    return chain
