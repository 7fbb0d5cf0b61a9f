"""Faults at a running companion: what the user is told, and how long it takes until the next suggestion works.

    python tests/soak/faults.py [--only WORD]

One real server with the bundled model and a real Lean has one fault after the other. After each the fault is taken back
where it would stay, and the same goal is asked for until a step is there that closes it. Prints a table for
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from companion_bench import GOAL, SECONDS, Bench, Outcome
from fault_kinds import configured, damaged, lean_is, signalled
from lsprotocol import types
from remote_faults import CHOICES, hangs, http, remote, resets, says, trickles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


FAULTS: dict[str, Callable[[Bench], Awaitable[str]]] = {}
"""Each makes a fault and takes it back; it returns what the user was told."""


def fault(name: str) -> Callable[[Callable[[Bench], Awaitable[str]]], Callable[[Bench], Awaitable[str]]]:
    def enter(work: Callable[[Bench], Awaitable[str]]) -> Callable[[Bench], Awaitable[str]]:
        FAULTS[name] = work
        return work

    return enter


for _part, _name in (("--server", "server"), ("--worker", "worker")):
    for _number in (signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGSTOP):
        for _busy in (False, True):
            _when = "while it checks" if _busy else "while it rests"
            FAULTS[f"{_number.name} to Lean's {_name} {_when}"] = signalled(_part, _number, busy=_busy)


FAULTS["no such Lean command"] = lean_is("/nonexistent/lean")

FAULTS["the Lean command is a folder"] = lean_is("/tmp")

FAULTS["the Lean command is no program"] = lean_is("/etc/hostname")

FAULTS["the Lean command ends at once"] = lean_is("/bin/false")

FAULTS["the Lean command prints garbage"] = lean_is("/usr/bin/yes")

FAULTS["the Lean command hangs"] = lean_is("/bin/sleep", "1000")

FAULTS["the Lean command prints half a message and hangs"] = lean_is(
    "/bin/sh", "-c", "printf 'Content-Length: 100\\r\\n\\r\\n{'; exec sleep 1000"
)

FAULTS["settings of wrong types"] = configured(count="many", temperature=[], http=5)

FAULTS["settings with NaN and infinities"] = configured(temperature=float("nan"), topP=float("inf"))

FAULTS["unknown settings"] = configured(modle="x")

FAULTS["no such model folder"] = configured(model="/nonexistent/model")


def _each(folder: Path, pattern: str, content: bytes | None) -> None:
    for file in folder.glob(pattern):
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)


FAULTS["the model's folder is empty"] = damaged(lambda folder: _each(folder, "*.*", None))

FAULTS["the model's weights are cut"] = damaged(
    lambda folder: [os.truncate(file, file.stat().st_size // 2) for file in folder.glob("*.safetensors")]
)

FAULTS["the model's weights are garbage"] = damaged(lambda folder: _each(folder, "*.safetensors", b"\xff" * 1000))

FAULTS["the model's weights are missing"] = damaged(lambda folder: _each(folder, "*.safetensors", None))

FAULTS["the model's config is garbage"] = damaged(lambda folder: _each(folder, "config.json", b"{"))

FAULTS["the model's config is nested 100 000 deep"] = damaged(
    lambda folder: _each(folder, "config.json", b"[" * 100_000)
)

FAULTS["the model's tokenizer is garbage"] = damaged(lambda folder: _each(folder, "tokenizer.json", b"\x00"))


def at_remote(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> Callable[[Bench], Awaitable[str]]:
    async def work(bench: Bench) -> str:
        async with remote(answer) as url:
            engine = {"url": url, "model": "m", "timeoutSeconds": 2}
            return await configured(engine="openai", remote=engine, template="starter")(bench)

    return work


FAULTS["the remote engine hangs"] = at_remote(hangs)

FAULTS["the remote engine resets the connection"] = at_remote(resets)

FAULTS["the remote engine answers byte by byte"] = at_remote(trickles)

FAULTS["the remote engine answers garbage"] = at_remote(says(b"\x00\xff garbage\r\n\r\n"))

FAULTS["the remote engine answers half"] = at_remote(says(http("200 OK", b'{"choices": [', 500)))

FAULTS["the remote engine answers no JSON"] = at_remote(says(http("200 OK", b"<html>")))

FAULTS["the remote engine answers JSON nested 100 000 deep"] = at_remote(says(http("200 OK", b"[" * 100_000)))

FAULTS["the remote engine answers with a number of 5000 digits"] = at_remote(says(http("200 OK", b"9" * 5000)))

FAULTS["the remote engine answers 500"] = at_remote(says(http("500 Internal Server Error", b"{}")))

FAULTS["the remote engine answers 401"] = at_remote(says(http("401 Unauthorized", b"{}")))

FAULTS["the remote engine answers 429"] = at_remote(says(http("429 Too Many Requests", b"{}")))

FAULTS["the remote engine redirects"] = at_remote(
    says(http("302 Found", b"", more="Location: http://127.0.0.1:1/\r\n"))
)

FAULTS["the remote engine sends a candidate of 1 MB"] = at_remote(says(http("200 OK", json.dumps(CHOICES).encode())))

FAULTS["the remote engine is not there"] = configured(
    engine="openai", remote={"url": "http://127.0.0.1:9/v1", "model": "m", "timeoutSeconds": 2}, template="starter"
)


@fault("the file is deleted beneath")
async def _deleted(bench: Bench) -> str:
    await bench.open()
    file = bench.folder / "On.lean"
    file.write_text(GOAL, encoding="utf-8")
    bench.page = bench.editor.open(file, GOAL)
    await bench.works()
    file.unlink()
    file.mkdir()
    bench.page.replace("theorem t", "theorem u")
    return await bench.works() or "(nothing; the answer came)"


@fault("an import that is not there")
async def _import(bench: Bench) -> str:
    await bench.open()
    bench.page.set("import NoSuch.Module\n" + GOAL)
    told = await bench.works()
    bench.page.set(GOAL)
    return told


@fault("a syntax error above")
async def _syntax(bench: Bench) -> str:
    await bench.open()
    bench.page.set("theorem a : := (\n\n" + GOAL)
    told = await bench.works()
    bench.page.set(GOAL)
    return told or "(nothing; the answer came)"


@fault("the port is taken, then given back")
async def _port(bench: Bench) -> str:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bench.editor.logs.clear()
    bench.configure(http={"enabled": True, "port": port})
    told = await bench.editor.until(lambda: next((each for each in bench.editor.logs if "endpoint" in each), None))
    server.close()
    begun = time.perf_counter()
    await bench.editor.until(lambda: any("answered at" in each for each in bench.editor.logs))
    bench.configure()
    return f"{told} (answers {time.perf_counter() - begun:.1f} s after the port is free)"


@fault("the file is closed while it works")
async def _closed(bench: Bench) -> str:
    await bench.open()
    asked = bench.ask()
    await asyncio.sleep(0.1)
    bench.page.close()
    told = await asked
    await bench.open()
    return told or "(nothing; the answer came before)"


@fault("llmstep.restartLean while it works")
async def _restarted(bench: Bench) -> str:
    await bench.open()
    asked = bench.ask()
    await asyncio.sleep(0.1)
    await bench.editor.execute("llmstep.restartLean")
    return await asked or "(nothing; the answer came before)"


@fault("1000 requests, each cancelled")
async def _cancels(bench: Bench) -> str:
    flights = []
    for number in range(1000):
        argument = {"textDocument": {"uri": bench.page.uri}, "position": bench.page.at("sorry"), "count": 8}
        params = types.ExecuteCommandParams("llmstep.suggest", [argument])
        identifier = f"cancelled-{number}"
        flights.append(bench.editor.client.protocol.send_request_async("workspace/executeCommand", params, identifier))
        bench.editor.cancel(identifier)
        if number % 50 == 0:
            await asyncio.sleep(0.02)
    done, pending = await asyncio.wait(flights, timeout=SECONDS)
    assert not pending
    codes = {getattr(each.exception(), "code", None) for each in done}
    assert codes <= {-32800, -32802}, codes
    return "(nothing; all were answered)"


@fault("the companion is stopped for 3 seconds")
async def _paused(bench: Bench) -> str:
    assert bench.editor.process is not None
    asked = bench.ask()
    bench.editor.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    bench.editor.process.send_signal(signal.SIGCONT)
    return await asked or "(nothing; the answer came)"


async def main(lean: str, only: str) -> list[Outcome]:
    found: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), lean)
        await bench.start()
        for title, work in FAULTS.items():
            if only not in title:
                continue
            try:
                told = await asyncio.wait_for(work(bench), 2 * SECONDS)
            except asyncio.TimeoutError:
                told = "(the fault had no end)"
            took = bench.took
            outcome = Outcome(title, " ".join(told.split()).replace(name, "…"), took, await bench.recovered())
            found.append(outcome)
            seconds = "never" if outcome.seconds is None else f"{outcome.seconds:.1f}"
            print(f"| {outcome.fault} | {outcome.told} | {outcome.told_after:.1f} | {seconds} |", flush=True)
        assert await bench.editor.leave() == 0
        unforeseen = re.search(rb" ERROR [\w.]+: (?:llmstep: )?a request failed", bench.editor.stderr)
        assert unforeseen is None, bytes(bench.editor.stderr)[-3000:].decode()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lean", default=str(ROOT / "build" / "lean" / "bin" / "lean"))
    parser.add_argument("--only", default="", help="faults with this word only")
    arguments = parser.parse_args()
    sys.exit(any(each.seconds is None for each in asyncio.run(main(arguments.lean, arguments.only))))
