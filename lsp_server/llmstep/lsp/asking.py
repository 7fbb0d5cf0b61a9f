"""What the server asks the client."""

from __future__ import annotations

import asyncio
import logging
import uuid
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol

from llmstep.errors import RequestError
from llmstep.lsp.framing import INVALID_PARAMS
from llmstep.wire.bounds import WrongValue
from llmstep.wire.reading import CLIENTS

T = TypeVar("T")

SECONDS_TO_ANSWER = 5.0
"""For what a client answers by itself."""

_log = logging.getLogger(__name__)


class AskingProtocol(LanguageServerProtocol):
    """pygls' protocol with requests to the client that end in time."""

    async def ask(self, method: str, params: Any, timeout: float | None = None) -> Any:
        """Send a request to the client and wait for its result.

        When the wait is cancelled, or takes longer than `timeout` seconds, the client is asked to stop. The future
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

    async def register(self, method: str, options: Any) -> None:
        """Ask to hear of something, of a client that wants to be asked for that."""
        params = types.RegistrationParams([types.Registration(id=method, method=method, register_options=options)])
        try:
            await self.ask(types.CLIENT_REGISTER_CAPABILITY, params, timeout=SECONDS_TO_ANSWER)
        except (JsonRpcException, asyncio.TimeoutError) as error:
            _log.warning("llmstep: the client did not register for %s: %s", method, error)

    async def ask_record(self, method: str, params: Any, answer: type[T], timeout: float) -> T | None:
        """Send a request of llmstep's own; its answer as a record, None where the client has none.

        Raises:
            JsonRpcException: The client answered with an error, or with something else.
            asyncio.TimeoutError: It did not answer in time.
        """
        raw = await self.ask(method, params, timeout)
        try:
            return None if raw is None else CLIENTS.read(answer, raw, _wrong_answer)
        except RequestError as error:
            raise JsonRpcException(error.message, code=INVALID_PARAMS) from None


def _wrong_answer(name: str, _: WrongValue) -> RequestError:
    return RequestError(f"An answer of the client is wrong{f' at {name}' if name else ''}.")
