"""`llmstep serve` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import httpx
import psutil
from gated import Gate
from processes import wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CONJUNCTION = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"

LINE = re.compile(r"llmstep listens at (http://127\.0\.0\.1:(\d+)) with the model starter\n")


def start(
    *options: str, program: tuple[str, ...] = (sys.executable, "-m", "llmstep"), **environment: str
) -> subprocess.Popen[str]:
    command = [*program, "serve", *options]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LLMSTEP_")}
    return subprocess.Popen(
        command,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def first_line(process: subprocess.Popen[str]) -> tuple[str, int]:
    """URL and port of the line a server prints; the process is ended when it prints another."""
    assert process.stdout is not None
    line = process.stdout.readline()
    match = LINE.fullmatch(line)
    if match is None:
        process.kill()
        raise AssertionError(f"{line!r} {process.communicate()}")
    return match[1], int(match[2])


def finish(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Exit status and the rest of the output after a signal; nothing of the process may be left."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    wait_until_gone(family)
    return process.returncode, out, err


@attrs.frozen
class Served:
    process: subprocess.Popen[str]
    url: str
    port: int
    client: httpx.Client
    gate: Gate

    def ask(self, **body: object) -> httpx.Response:
        return self.client.post("/", json=body)

    def health(self) -> dict[str, object]:
        answer: dict[str, object] = self.client.get("/health").json()
        return answer

    def number(self, name: str) -> float:
        """One of the numbers for scrapers."""
        lines = self.client.get("/metrics").text.splitlines()
        [value] = [line.split()[1] for line in lines if line.startswith(f"llmstep_{name} ")]
        return float(value)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """The starter at a free port, held at a gate in `folder`."""
    gate = Gate(folder)
    process = start("--port", "0", "--model", "starter", "--device", "cpu", program=gate.program)
    url, port = first_line(process)
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=60) as client:
        try:
            yield Served(process, url, port, client, gate)
        finally:
            process.kill()
            process.communicate()


def request_bytes(**fields: object) -> bytes:
    body = json.dumps(fields).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
