"""Where a request goes, whether it may go there, and the key it carries."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from llmstep.address import is_loopback
from llmstep.errors import SettingsError
from llmstep.settings import Settings

KEY_VARIABLE = "LLMSTEP_API_KEY"


@attrs.frozen
class Key:
    """A secret, which leaves this object only for the header of a request."""

    secret: str = attrs.field(repr=False)


@attrs.frozen
class Place:
    """A server."""

    url: str
    """Without a slash at its end."""
    key: Key | None = None
    loopback: bool = True
    model_key: str = ""
    """Where the model of another window is used: which one it has to be (`ModelKey.digest`)."""

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key.secret}"} if self.key else {}

    def shown(self, text: str) -> str:
        """`text` without the key: servers repeat what they were sent."""
        return text.replace(self.key.secret, "…") if self.key else text


def place_of(settings: Settings) -> Place:
    """The server of the settings.

    Raises:
        SettingsError: There is none, its address is malformed or on another machine without consent, or the key
            cannot be read.
    """
    remote = settings.remote
    url = remote.url.strip().rstrip("/")
    if not url:
        raise SettingsError(
            f"The setting llmstep.engine is {settings.engine}, but llmstep.remote.url is empty.",
            hint="Set it to the server's address, http://127.0.0.1:8000/v1 for example.",
        )
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 - raises for what is no number
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise SettingsError(
            "The setting llmstep.remote.url is no address of a server.",
            hint="It must look like http://127.0.0.1:8000/v1.",
        )
    if parts.username is not None or parts.password is not None:
        raise SettingsError(
            "The setting llmstep.remote.url holds a user name or a password.",
            hint=f"Put the key into the environment variable {KEY_VARIABLE} or a file (llmstep.remote.apiKeyFile).",
        )
    local = is_loopback(host)
    if not local and not remote.allow_non_loopback:
        raise SettingsError(
            f"llmstep does not send goals to {host} without your consent, because that is another machine.",
            hint="If you agree, set llmstep.remote.allowNonLoopback to true.",
        )
    if settings.engine in ("openai", "vllm") and not parts.path:
        url += "/v1"
    return Place(url, read_key(remote.api_key_file), local)


def read_key(file: str) -> Key | None:
    """The key: of the environment, else of the file; None when neither has one.

    Raises:
        SettingsError: The file cannot be read, or the key cannot be sent in a header. Neither is ever quoted, since
            what is given for a file name may be the key itself.
    """
    secret, source = os.environ.get(KEY_VARIABLE, "").strip(), f"The environment variable {KEY_VARIABLE}"
    if not secret and file:
        source = "The file of the setting llmstep.remote.apiKeyFile"
        try:
            secret = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError, RuntimeError):
            raise SettingsError(
                f"{source} cannot be read.", hint="Give a file that holds nothing but the key."
            ) from None
    if not secret:
        return None
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise SettingsError(f"{source} holds no usable key.", hint="A key is one word of plain ASCII characters.")
    return Key(secret)
