"""The proxies of `deploy/` as their files have them, with other ports, names and certificates, before two servers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from benchmarks.crowd import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[1]
PROGRAMS = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
COPIES = ("127.0.0.1:6001", "127.0.0.1:6002")


@attrs.frozen
class Proxy:
    """A proxy that runs."""

    url: str
    root: str
    """File of the certificate to believe."""
    copies: tuple[str, str]
    """Addresses of the servers behind it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def nginx_files(folder: Path, port: int, copies: tuple[str, str], *, sticky: bool = True) -> list[str]:
    """Write what `nginx` needs; the command that starts it."""
    key, certificate = folder / "llmstep.key", folder / "llmstep.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*make, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    text = (ROOT / "deploy/nginx/llmstep.conf").read_text()
    text = text.replace("/etc/ssl", str(folder)).replace("listen 443", f"listen 127.0.0.1:{port}")
    for known, ours in zip(COPIES, copies, strict=True):
        assert known in text
        text = text.replace(known, ours)
    if not sticky:
        text = re.sub(r"\n *hash .*", "", text)
    (folder / "llmstep.conf").write_text(text)
    places = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off; master_process off; error_log stderr; pid {folder}/pid; events {{ worker_connections 4096; }}"
    (folder / "nginx.conf").write_text(f"{main} http {{ access_log off; {places} include {folder}/llmstep.conf; }}")
    return ["nginx", "-e", "stderr", "-c", str(folder / "nginx.conf")]


def caddy_files(folder: Path, port: int, copies: tuple[str, str]) -> list[str]:
    """Write what `caddy` needs; the command that starts it."""
    text = (ROOT / "deploy/caddy/Caddyfile").read_text()
    text = text.replace("\n{\n", "\n{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n", 1)
    text = text.replace("lean.example.org", f"https://localhost:{port}").replace("# tls internal", "tls internal")
    for known, ours in zip(COPIES, copies, strict=True):
        assert known in text
        text = text.replace(known, ours)
    (folder / "Caddyfile").write_text(text)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextlib.asynccontextmanager
async def proxy(kind: str, folder: Path, copies: tuple[str, str], *, sticky: bool = True) -> AsyncIterator[Proxy]:
    """A proxy before two servers.

    Args:
        kind: `nginx` or `caddy`.
        sticky: Whether a client stays at one of them; else they take turns (nginx only).
    """
    port = free_port()
    addresses = (copies[0].partition("//")[2], copies[1].partition("//")[2])
    if kind == "nginx":
        command = nginx_files(folder, port, addresses, sticky=sticky)
    else:
        command = caddy_files(folder, port, addresses)
    environment = {**os.environ, "PATH": PROGRAMS, "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        program = shutil.which(command[0], path=PROGRAMS) or command[0]
        running = await asyncio.create_subprocess_exec(program, *command[1:], env=environment, stdout=log, stderr=log)
    root = folder / ("llmstep.pem" if kind == "nginx" else "caddy/pki/authorities/local/root.crt")
    try:
        until = time.monotonic() + 20
        while not (root.exists() and _answers(port, root)):
            assert running.returncode is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            await asyncio.sleep(0.05)
        yield Proxy(f"https://localhost:{port}", str(root), copies)
    finally:
        running.terminate()
        await running.wait()


@contextlib.asynccontextmanager
async def two_copies(*options: str) -> AsyncIterator[tuple[str, str]]:
    """Two servers of the stand-in."""
    command = ("benchmarks.stand_in", *options)
    async with serving(*command) as first, serving(*command) as second:
        yield first, second


def there(kind: str) -> bool:
    return shutil.which(kind, path=PROGRAMS) is not None


def _answers(port: int, root: Path) -> bool:
    """Whether it has its certificate already."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as raw:
        ssl.create_default_context(cafile=root).wrap_socket(raw, server_hostname="localhost").close()
        return True
    return False
