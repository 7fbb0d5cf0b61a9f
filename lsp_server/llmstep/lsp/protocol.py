"""pygls' protocol with the changes that this server needs.

- Cancelling `workspace/executeCommand` reaches the command: pygls runs it behind a generator, whose cancellation stops
  at the outer future. Here the request's own task runs the command.
- Positions are UTF-16 whatever else the client offers, since Lean's own server knows nothing else.
- Errors that the user can act on become JSON-RPC errors with a `hint`, without a traceback in the log.
- `exit` ends the message loop instead of the interpreter, so that children and threads are stopped in order.
"""

from __future__ import annotations

import asyncio
import inspect
import uuid
from typing import TYPE_CHECKING, Any

import attrs
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcServerNotInitialized
from pygls.protocol import LanguageServerProtocol, lsp_method

from llmstep.errors import CancelledError, LlmstepError, RequestError
from llmstep.lsp.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Future

    from cattrs import Converter

    from llmstep.lsp.server import LlmstepServer

PLAIN_GOAL = "llmstep/plainGoal"
CHECK_SUGGESTIONS = "llmstep/checkSuggestions"
STATUS = "llmstep/status"
KNOWN = "llmstep/known"


@attrs.define
class PlainGoal:
    """The open goals at a position, as Lean prints them; the same form as the answer of `$/lean/plainGoal`."""

    goals: list[str]
    rendered: str = ""


@attrs.define
class PlainGoalRequest:
    """Server to client: which goals are open here?"""

    # No defaults: lsprotocol's converter does not send them.
    id: int | str
    method: str
    params: types.TextDocumentPositionParams
    jsonrpc: str


@attrs.define
class PlainGoalResponse:
    """Its answer."""

    id: int | str
    jsonrpc: str
    result: PlainGoal | None = None


@attrs.define
class CheckParams:
    """What the client's Lean is to check: the form that `LLMstep.checkSuggestions` of the Lean package takes."""

    # lsprotocol's converter has no names of its own for these: they are the wire's.
    textDocument: types.TextDocumentIdentifier  # noqa: N815
    position: types.Position
    suggestions: list[str]
    maxHeartbeats: int  # noqa: N815


@attrs.define
class Checked:
    """A suggestion with the verdict of the client's Lean."""

    text: str
    verdict: str
    goals: list[str] = attrs.field(factory=list)
    message: str = ""


@attrs.define
class CheckedSuggestions:
    """The suggestions in the order asked."""

    checked: list[Checked]


@attrs.define
class CheckRequest:
    """Server to client: what does Lean say about these suggestions here?"""

    id: int | str
    method: str
    params: CheckParams
    jsonrpc: str


@attrs.define
class CheckResponse:
    """Its answer; null where the file does not import the package."""

    id: int | str
    jsonrpc: str
    result: CheckedSuggestions | None = None


@attrs.define
class KnownParams:
    """A place of a document; the diagnostics at it help to find the goal."""

    textDocument: types.TextDocumentIdentifier  # noqa: N815
    position: types.Position
    diagnostics: list[types.Diagnostic] = attrs.field(factory=list)


@attrs.define
class KnownRequest:
    """Client to server: what is known for the goal here?"""

    id: int | str
    method: str
    params: KnownParams
    jsonrpc: str


_REQUESTS = {PLAIN_GOAL: PlainGoalRequest, CHECK_SUGGESTIONS: CheckRequest, KNOWN: KnownRequest}
_RESPONSES = {PLAIN_GOAL: PlainGoalResponse, CHECK_SUGGESTIONS: CheckResponse}


class LlmstepProtocol(LanguageServerProtocol):
    """The wire between an editor and `LlmstepServer`."""

    _server: LlmstepServer

    def __init__(self, server: LlmstepServer, converter: Converter) -> None:
        self.documents = Documents(None)
        super().__init__(server, converter)

    # pygls wraps these two in a cache; for two requests more that is not worth its types.
    def get_message_type(  # type: ignore[override]
        self, method: str
    ) -> type[Any] | None:
        return _REQUESTS.get(method) or super().get_message_type(method)

    def get_result_type(  # type: ignore[override]
        self, method: str
    ) -> type[Any] | None:
        return _RESPONSES.get(method) or super().get_result_type(method)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        utf16 = [types.PositionEncodingKind.Utf16]
        if params.capabilities.general is not None:
            params.capabilities.general = attrs.evolve(params.capabilities.general, position_encodings=utf16)
        result: types.InitializeResult = yield from super().lsp_initialize(params)
        self._workspace = self.documents = Documents(params.root_uri, workspace_folders=params.workspace_folders or [])
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Run a command with its raw parameters; cancelling the request cancels the command."""
        command = self.fm.commands.get(params.command)
        if command is None:
            raise JsonRpcInvalidParams(f"There is no command {params.command}.")
        result = command(params)
        return await result if inspect.isawaitable(result) else result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """Stop all work at once; what takes longer goes on while the client prepares `exit`."""
        self._shutdown = True
        current = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != current and not future.done():
                future.cancel()
        self._server.begin_closing()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        self._server.leave(0 if self._shutdown else 1)

    async def ask(self, method: str, params: Any, timeout: float | None = None) -> Any:
        """Send a request to the client and wait for its result.

        When the wait is cancelled, or takes longer than `timeout` seconds, the client is told to stop. The future
        itself is never cancelled: pygls cannot take a late answer for a cancelled one.

        Raises:
            JsonRpcException: The client answered with an error.
            asyncio.TimeoutError: It did not answer in time.
        """
        msg_id = str(uuid.uuid4())
        future = self.send_request_async(method, params, msg_id=msg_id)
        try:
            return await asyncio.wait_for(asyncio.shield(future), timeout)
        except (asyncio.CancelledError, asyncio.TimeoutError):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.notify(types.CANCEL_REQUEST, types.CancelParams(id=msg_id))
            raise

    def structure_message(self, data: dict[str, Any]) -> Any:
        """pygls leaves a request that it cannot read without an answer; the client would wait for ever."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise

    def _handle_request(self, msg_id: int | str, method_name: str, params: Any) -> None:
        if self._workspace is None and method_name != types.INITIALIZE:
            error = JsonRpcServerNotInitialized("The first request must be `initialize`.")
            self._send_response(msg_id, error=error.to_response_error())
            return
        super()._handle_request(msg_id, method_name, params)

    def _send_handler_result(self, future: Future[Any], *, msg_id: int | str) -> None:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, (LlmstepError, JsonRpcException)):
            self._request_futures.pop(msg_id, None)
            self._send_response(msg_id, error=response_error(error))
        else:
            super()._send_handler_result(future, msg_id=msg_id)


def response_error(error: LlmstepError | JsonRpcException) -> types.ResponseError:
    """The error as JSON-RPC sends it: one sentence, and in `data` what to do next."""
    if isinstance(error, JsonRpcException):
        return error.to_response_error()
    code: int = types.LSPErrorCodes.RequestFailed
    if isinstance(error, RequestError):
        code = types.ErrorCodes.InvalidParams
    elif isinstance(error, CancelledError):
        code = types.LSPErrorCodes.ServerCancelled
    data = {"hint": error.hint, "code": error.code, "retryable": error.retryable}
    return types.ResponseError(code=int(code), message=error.message, data=data)
