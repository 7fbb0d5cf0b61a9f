"""pygls' protocol with the changes that this server needs.

- Cancelling `workspace/executeCommand` reaches the command: pygls runs it behind a generator, whose cancellation stops
  at the outer future. Here the request's own task runs the command.
- Positions are UTF-16 whatever else the client offers, since Lean's own server knows nothing else.
- Errors that the user can act on become JSON-RPC errors with a `hint`, without a traceback in the log.
- Messages are decoded and checked in the thread that reads them (`receive`), and what the text of a document becomes
  is worked out there; the event loop is left to hand them on.
- Requests to the client end in time (`ask`).
- Each request is answered: one that is wrong with one sentence that says where, never with a traceback.
- `exit` ends the message loop instead of the interpreter, so that children and threads are stopped in order.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
import time
import uuid
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, TypeVar

import attrs
from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    JsonRPCResponseMessage,
    LanguageServerProtocol,
    lsp_method,
)

from llmstep.errors import LlmstepError, RequestError
from llmstep.lsp.documents import Documents, NewText
from llmstep.lsp.framing import INVALID_PARAMS, Fault
from llmstep.lsp.outbox import Outbox
from llmstep.lsp.strict import envelope_fault, response_error, strict, what_is_wrong
from llmstep.wire.reading import CLIENTS, field_error

T = TypeVar("T")

SECONDS_TO_ANSWER = 5.0
"""For what a client answers by itself."""

_log = logging.getLogger(__name__)


class LlmstepProtocol(LanguageServerProtocol):
    """The wire between an editor and a `Session`."""

    _server: Any  # the session, which hears of edits and of the end

    def __init__(self, server: Any, converter: Converter) -> None:
        self.documents = Documents(None)
        self.outbox: Outbox | None = None
        self.last_message = time.monotonic()
        self._closing = False
        super().__init__(server, strict(converter))

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        utf16 = [types.PositionEncodingKind.Utf16]
        if params.capabilities.general is not None:
            params.capabilities.general = attrs.evolve(params.capabilities.general, position_encodings=utf16)
        try:
            documents = Documents(params.root_uri, params.workspace_folders or [])
        except ValueError:
            raise JsonRpcInvalidParams("The parameters of initialize are wrong: rootUri is no address.") from None
        result: types.InitializeResult = yield from super().lsp_initialize(params)
        self._workspace = self.documents = documents
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
        self._closing = True
        current = self.msg_id
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != current and not future.done():
                future.cancel()
        self._server.begin_closing()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        self._server.leave(0 if self._closing else 1)

    # --- messages from the client

    def receive(self, data: Any, loop: asyncio.AbstractEventLoop) -> None:
        """Take what a wire has decoded, in the thread that reads it; returns when the event loop has handed it on."""
        message, handled = self.read(data), threading.Event()

        def hand_on() -> None:
            self.last_message = time.monotonic()
            try:
                self.handle_message(message)
            finally:
                handled.set()

        loop.call_soon_threadsafe(hand_on)
        handled.wait()

    def read(self, data: Any) -> Any:
        """A decoded message as a value of its type, an edit as a `NewText`, or what is wrong with it as a `Fault`."""
        if isinstance(data, Fault):
            return data
        if (fault := envelope_fault(data)) is not None:
            return fault
        method, msg_id = data.get("method"), data.get("id")
        try:
            message = self.structure_message(data)
        except Exception as error:
            wrong, hint = what_is_wrong(method, error)
            if method is None:  # whoever waits for the answer gets an error in its place
                return types.ResponseErrorMessage(msg_id, types.ResponseError(INVALID_PARAMS, wrong))
            return Fault(INVALID_PARAMS, wrong, hint, id=msg_id)
        if isinstance(message, types.DidChangeTextDocumentNotification):
            return self.documents.edit(message.params) or Fault(INVALID_PARAMS, "The document is not open.")
        return message

    def structure_message(self, data: dict[str, Any]) -> Any:
        """The message as a value of its type; raises what the converter raises, where pygls logs a traceback."""
        method, params = data.get("method"), data.get("params")
        if method is None and data.get("error") is not None:
            return self._converter.structure(data, types.ResponseErrorMessage)
        kind = self._result_types.pop(data["id"], None) if method is None else self.get_message_type(method)
        if kind is not None:
            return self._converter.structure(data, kind)
        if method is None:
            return JsonRPCResponseMessage(data["id"], self.VERSION, data.get("result"))
        if "id" in data:
            return JsonRPCRequestMessage(data["id"], method, self.VERSION, params)
        return JsonRPCNotification(method, self.VERSION, params)

    def handle_message(self, message: Any) -> None:
        """Hand a message on; nothing that it may hold ends the server."""
        if isinstance(message, Fault):
            _log.debug("a wrong message: %s", message.message)
            if message.id is not None or message.code != INVALID_PARAMS:
                error = {"code": message.code, "message": message.message, "data": {"hint": message.hint}}
                self._send_data({"jsonrpc": self.VERSION, "id": message.id, "error": error})  # also where it is null
            return
        try:
            if isinstance(message, NewText):
                self.documents.put_text_document(message.item)
                self._server.edited(message)
            else:
                super().handle_message(message)
        except Exception:
            _log.exception("a message could not be handled")

    def _handle_request(self, msg_id: int | str, method_name: str, params: Any) -> None:
        error: JsonRpcException | None = None
        if self._closing:
            error = JsonRpcInvalidRequest("llmstep is shutting down.")
        elif self._workspace is None and method_name != types.INITIALIZE:
            error = JsonRpcServerNotInitialized("The first request must be `initialize`.")
        elif self._workspace is not None and method_name == types.INITIALIZE:
            error = JsonRpcInvalidRequest("`initialize` was answered already; it may be sent once only.")
        if error is None:
            super()._handle_request(msg_id, method_name, params)
        else:
            self._send_response(msg_id, error=error.to_response_error())

    def _handle_notification(self, method_name: str, params: Any) -> None:
        if method_name == types.EXIT or (self._workspace is not None and not self._closing):
            super()._handle_notification(method_name, params)

    def _handle_cancel_notification(self, msg_id: int | str) -> None:
        if isinstance(self._request_futures.get(msg_id), asyncio.Future):  # one of the client's
            super()._handle_cancel_notification(msg_id)

    def _handle_response(
        self, msg_id: int | str, result: Any | None = None, error: types.ResponseError | None = None
    ) -> None:
        future = self._request_futures.get(msg_id)
        if isinstance(future, Future) and not future.done():
            super()._handle_response(msg_id, result, error)
        else:
            _log.debug("an answer to a request that does not wait")

    # --- messages to the client

    async def ask(self, method: str, params: Any, timeout: float | None = None) -> Any:
        """Send a request to the client and wait for its result.

        When the wait is cancelled, or takes longer than `timeout` seconds, the client is asked to stop.

        Raises:
            JsonRpcException: The client answered with an error.
            asyncio.TimeoutError: It did not answer in time.
        """
        msg_id = str(uuid.uuid4())
        try:
            return await asyncio.wait_for(self.send_request_async(method, params, msg_id=msg_id), timeout)
        except (asyncio.CancelledError, asyncio.TimeoutError):
            self._request_futures.pop(msg_id, None)  # pygls cannot take a late answer for it
            self.notify(types.CANCEL_REQUEST, types.CancelParams(id=msg_id))
            raise

    async def ask_record(self, method: str, params: Any, answer: type[T], timeout: float) -> T | None:
        """Send a request of llmstep's own; its answer as a record, None where the client has none.

        Raises:
            JsonRpcException: The client answered with an error, or with something else.
            asyncio.TimeoutError: It did not answer in time.
        """
        raw = await self.ask(method, params, timeout)
        try:
            return None if raw is None else CLIENTS.read(answer, raw, field_error)
        except RequestError as error:
            raise JsonRpcException(error.message, code=INVALID_PARAMS) from None

    async def register(self, method: str, options: Any) -> None:
        """Ask to hear of something, of a client that wants to be asked for that."""
        params = types.RegistrationParams([types.Registration(id=method, method=method, register_options=options)])
        try:
            await self.ask(types.CLIENT_REGISTER_CAPABILITY, params, timeout=SECONDS_TO_ANSWER)
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.warning("llmstep: the client did not register for %s: %s", method, error)

    def _send_data(self, data: Any) -> None:
        if self.outbox is not None:
            self.outbox.put(lambda: json.dumps(data, default=self._serialize_message).encode())

    def _send_handler_result(self, future: Future[Any], *, msg_id: int | str) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            super()._send_handler_result(future, msg_id=msg_id)
            return
        self._request_futures.pop(msg_id, None)
        if not isinstance(error, (LlmstepError, JsonRpcException)):
            _log.error("a request failed", exc_info=error)
            error = LlmstepError("llmstep failed at this request.", hint="See llmstep's log, and please report it.")
        self._send_response(msg_id, error=response_error(error))
