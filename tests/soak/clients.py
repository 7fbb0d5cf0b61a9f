"""Fifty clients at `llmstep serve` with the bundled model for a minute: what they got, and what the server holds after.

python tests/soak/clients.py [--clients 50] [--seconds 60]
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import time
from collections import Counter

import httpx
import psutil

STATE = "p q : Prop\nhp : p\nhq : q\nn{number} : Nat\n⊢ p ∧ q"


async def client(url: str, number: int, until: float, outcomes: Counter[str], times: list[float]) -> None:
    """One after the other; every other question is a new one."""
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http:
        asked = 0
        while time.perf_counter() < until:
            asked += 1
            state = STATE.format(number=f"{number}x{asked if asked % 2 else 0}")
            begun = time.perf_counter()
            answer = await http.post(url, json={"tactic_state": state, "prefix": "", "context": ""})
            body = answer.json()
            if answer.status_code == 200:
                assert body["suggestions"], body
                times.append(time.perf_counter() - begun)
            else:
                assert "error" in body or "detail" in body, body
                await asyncio.sleep(float(answer.headers.get("retry-after", "0.2")))
            outcomes[str(answer.status_code)] += 1


def size(process: psutil.Process) -> str:
    held = process.memory_info().rss >> 20
    return f"{held} MB, {process.num_fds()} descriptors, {process.num_threads()} threads"


async def main(clients: int, seconds: float) -> None:
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "llmstep", "serve", "--port", "0", "--model", "starter", "--device", "cpu"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert server.stdout
    try:
        found = None
        while found is None:
            line = (await server.stdout.readline()).decode()
            assert line, "llmstep serve did not start"
            found = re.search(r"http://\S+", line)
        url = found.group()
        process = psutil.Process(server.pid)
        outcomes: Counter[str] = Counter()
        times: list[float] = []
        await client(url, -1, time.perf_counter() + 3, Counter(), [])
        before = size(process)
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(url, number, until, outcomes, times) for number in range(clients)))
        await asyncio.sleep(1)
        times.sort()
        print(
            f"{clients} clients, {seconds:g} s: {dict(outcomes)}; median {statistics.median(times):.2f} s, "
            f"slowest {times[-1]:.2f} s; {before} -> {size(process)}"
        )
    finally:
        server.terminate()
        await server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.clients, arguments.seconds))
