"""Hostile requests by the hundred thousand, straight into the application: `python tests/http/fuzz.py COUNT [SEED]`.

Every request has to get one answer, with a status below 500, in JSON (or lines of it) that holds no word of Python.
A request is a good one, made from the description that the server gives of itself, in which something is changed.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs

from llmstep.engine.interface import Completion, Generation, Written
from llmstep.http.app import PAGES, create_app
from llmstep.settings import Settings
from llmstep.types import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

PYTHON = re.compile(
    r"Traceback|Exception\b|\b[A-Z]\w+Error\b|set_int_max_str|NoneType|<class|object at 0x|'utf-8'|codec|\bdict\b"
)
GOOD: dict[str, dict[str, Any]] = {
    "/": {"tactic_state": "p : Prop\nh : p\n⊢ p", "prefix": "exact ", "context": "theorem t : p := by\n  ", "count": 2},
    "/generate": {"name": "m", "input": "⊢ True", "prefix": ""},
    "/candidates": {
        "goal": "⊢ True",
        "others": ["⊢ p"],
        "prefix": "",
        "context": "",
        "declaration": "t",
        "proof": "",
        "premises": [["a", "theorem a : True"]],
        "sampling": {"count": 2, "temperature": 0.5, "top_p": 1.0, "max_new_tokens": 8, "seed": 3},
        "model_key": "",
    },
    "/v1/completions": {"prompt": ["a", "b"], "n": 2, "max_tokens": 4, "stop": ["x"], "logprobs": 1, "stream": True},
    "/v1/chat/completions": {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}],
        "stream_options": {"include_usage": True},
        "stream": False,
    },
    "/api/generate": {"prompt": "a", "system": "b", "stream": False, "options": {"num_predict": 4, "stop": ["x"]}},
    "/api/chat": {"messages": [{"role": "user", "content": "a"}], "options": {"temperature": 0}},
}
RAW = (
    *("1" * 5000, "-" + "9" * 400, "1e400", "-1e400", "NaN", "Infinity", "-Infinity", '"\\ud800"', '"\\udc00\\ud800"'),
    *(
        "[" * 3000,
        '{"a":' * 3000,
        "[" * 60 + "]" * 60,
        "true",
        "false",
        "null",
        "0",
        "-1",
        "1.5",
        "1e-400",
        '""',
        '" "',
    ),
    *('"\\u0000"', '"\\u202e\\u200b"', "[]", "{}", "[[]]", '"no goals"', "9223372036854775808", "18446744073709551616"),
    *(
        '{"type": "json_object"}',
        '["a", 1]',
        '"' + "(" * 2000 + '"',
        '"' + "⟨" * 700 + '"',
        '"' + "by " * 700 + '"',
        "'x'",
    ),
)
"""Texts that take the place of a value in the body, JSON or not."""


HEADERS = (
    *(b"host", b"origin", b"authorization", b"content-type", b"content-length", b"accept", b"accept-encoding"),
    *(b"x-llmstep-client", b"x-forwarded-for", b"cookie", b"range", b"retry-after", b"expect", b"connection"),
)
DIGITS = b"9" * 5000
VALUES = (
    *(
        b"",
        b"\xff",
        b"\x00",
        b"-1",
        b"1e400",
        b"a b",
        b"null",
        b"Basic :",
        DIGITS,
        b"Basic " + DIGITS,
        b"Bearer " + DIGITS,
    ),
    *(b"bytes=0-" + DIGITS, b"application/json; charset=" + DIGITS, b"text/plain; q=9e999"),
    *(b"application/openmetrics-text; version=" + each for each in (DIGITS, b"1.x", b"1.0.0; escaping=x")),
)


class Fixed:
    """An engine that answers at once."""

    def __init__(self) -> None:
        self.status = SimpleNamespace(state="idle", model="fixed", device="cpu", queued=0, last_ms=1.0)

    async def generate(self, ask: Any, *_: Any, **__: Any) -> Generation:
        return Generation([Candidate(ask.prefix + "rfl", -0.5, 2)], "fixed", 1, 0.1)

    async def complete(self, _text: Any, sampling: Any, *, on_written: Any = None) -> Completion:
        written = [Written("rfl", "stop", (("rfl", -0.5),), 2)] * min(sampling.count, 4)
        for number, each in enumerate(written if on_written else ()):
            on_written(number, each)
        return Completion(written, "fixed", 3)

    def known(self, *_: Any) -> None:
        return None


@attrs.define
class Report:
    """What came of a run."""

    count: int = 0
    seconds: float = 0.0
    statuses: dict[int, int] = attrs.field(factory=dict)
    faults: list[str] = attrs.field(factory=list)


def points(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a value of JSON, the whole included."""
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += points(each, (*path, key))
    return found


def body_of(good: dict[str, Any], choose: random.Random) -> bytes:
    """A good body with one to three changes."""
    marks: dict[str, str] = {}
    made: Any = json.loads(json.dumps(good))
    for number in range(choose.randint(1, 3)):
        place = choose.choice(points(made))
        mark = f"\x00{number}\x00"
        marks[json.dumps(mark)] = choose.choice(RAW)
        if not place:
            made = mark if choose.random() < 0.3 else made
            continue
        inner = made
        for key in place[:-1]:
            inner = inner[key]
        if choose.random() < 0.15:
            del inner[place[-1]]
            break
        inner[place[-1]] = mark
    text = json.dumps(made, ensure_ascii=choose.random() < 0.5)
    for mark, raw in marks.items():
        text = text.replace(mark, raw)
    body = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(choose.choice((0, 0, 0, 0, 1, 4))):
        if body:
            body[choose.randrange(len(body))] = choose.randrange(256)
    return bytes(body[: choose.randrange(len(body) + 1)] if choose.random() < 0.05 else body)


async def ask(
    app: Starlette, path: str, method: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, bytes]:
    """Status and body of the answer; the client stays until it has come."""
    sent: list[Any] = []
    come = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.Event()

    async def receive() -> Any:
        if come:
            return come.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 6000),
        "root_path": "",
        "state": {},
    }
    await app(scope, receive, send)
    status = next((each["status"] for each in sent if each["type"] == "http.response.start"), 0)
    return status, b"".join(each.get("body", b"") for each in sent)


def fault_of(path: str, status: int, answer: bytes) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if status == 0 or status >= 500:
        return f"status {status}"
    text = answer.decode("utf-8")
    if found := PYTHON.search(text):
        return f"Python's word {found[0]!r}"
    if path == "/metrics" and status == 200:
        return ""
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line and not line.startswith(":")]
    try:
        for line in lines:
            json.loads(line, parse_constant=lambda name: 1 / 0) if line != "[DONE]" else None
    except (ValueError, ZeroDivisionError):
        return "no JSON"
    if status >= 400 and "error" not in json.loads(lines[0]):
        return "no error in it"
    return ""


async def _fuzz(count: int, seed: int, stop: Callable[[Report], bool]) -> Report:
    app = create_app(Fixed(), Settings(), at_once=16)  # type: ignore[arg-type]
    choose = random.Random(seed)
    report = Report()
    started = time.perf_counter()
    others = [page.path for page in PAGES] + ["/nothing", "/v1", "/v1/é", "/api/", "//", "/v1/models/\x00", "/é"]
    while report.count < count and not stop(report):
        report.count += 1
        headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
        if choose.random() < 0.9:
            path, method = choose.choice(list(GOOD)), "POST"
            body = body_of(GOOD[path], choose)
        else:
            path, method = (
                choose.choice(others),
                choose.choice(("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "X")),
            )
            body = choose.randbytes(choose.randrange(40))
        if method != "POST" or choose.random() < 0.2:
            headers.append((choose.choice(HEADERS), choose.choice(VALUES)))
        try:
            status, answer = await ask(app, path, method, headers, body)
            wrong = "" if method == "HEAD" and status else fault_of(path, status, answer)
        except Exception as error:
            status, answer, wrong = 0, b"", f"raised {error!r}"
        report.statuses[status] = report.statuses.get(status, 0) + 1
        if wrong:
            report.faults.append(f"{method} {path} {body[:300]!r} {headers[2:]}: {wrong}: {answer[:300]!r}")
    report.seconds = time.perf_counter() - started
    return report


def fuzz(count: int, seed: int = 0, *, seconds: float = float("inf"), least: int = 0, most_faults: int = 20) -> Report:
    """So many requests, or as many as there is time for, but not fewer than `least`."""
    until = time.monotonic() + seconds

    def stop(so_far: Report) -> bool:
        return len(so_far.faults) >= most_faults or (so_far.count >= least and time.monotonic() > until)

    return asyncio.run(_fuzz(count, seed, stop))


def main() -> int:
    report = fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"{report.count} requests in {report.seconds:.0f} s, statuses {dict(sorted(report.statuses.items()))}")
    for fault in report.faults:
        print(fault)
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
