"""Suites that mostly wait run beside the others, in a second pytest; the first one reports on all.

    python -m pytest tests --beside tests/vscode --beside tests/lsp

The second pytest runs exactly the tests that the first has collected below these paths, in their order, and writes its
reports to a file. The first runs all others, then shows those reports: one list, one summary, one closing line.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

PAUSE = 0.1
"""Seconds between two looks at the file of reports."""
PATIENCE = 60.0
"""Seconds for the second pytest to end, once its tests are done or the first one has stopped."""


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--beside", action="append", default=[], metavar="PATH", help="run these tests beside the others")
    parser.addoption("--beside-reports", metavar="FILE", help="where the pytest beside another one writes its reports")
    parser.addoption(
        "--beside-life", type=int, metavar="FD", help="a socket; when its other end goes, so does this pytest"
    )


def configure(config: pytest.Config) -> None:
    if file := config.getoption("--beside-reports"):
        config.pluginmanager.register(Second(config, Path(file), config.getoption("--beside-life")))
    elif paths := config.getoption("--beside"):
        config.pluginmanager.register(First(config, paths))


class Second:
    """Writes one line of JSON for each report, warning, and test that is done. It ends with the first one."""

    def __init__(self, config: pytest.Config, file: Path, life: int) -> None:
        self._config = config
        self._file = file.open("w", encoding="utf-8", buffering=1)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background begins without one
        threading.Thread(target=self._watch, args=(life,), daemon=True).start()

    def _watch(self, life: int) -> None:
        """As Ctrl-C does it, so that fixtures end what they have started; however the first pytest has ended."""
        os.read(life, 1)
        os.kill(os.getpid(), signal.SIGINT)

    def _write(self, kind: str, value: object) -> None:
        self._file.write(json.dumps([kind, value], default=str) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write("report", self._config.hook.pytest_report_to_serializable(config=self._config, report=report))

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write("done", nodeid)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: tuple[str, int, str] | None
    ) -> None:
        said = warning_message
        message = {"message": str(said.message), "filename": said.filename, "lineno": said.lineno}
        where = {"when": when, "nodeid": nodeid, "location": location}
        self._write("warning", [message, said.category.__name__, where])


class First:
    """Starts the second pytest, and reports on its tests after all others."""

    def __init__(self, config: pytest.Config, paths: list[str]) -> None:
        self._config = config
        self._paths = [path.rstrip("/") for path in paths]
        self._beside: dict[str, pytest.Item] = {}
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._done: set[str] = set()
        self._second: Apart | None = None
        self._lines: Iterator[str | None] = iter(())
        self._output = Path()
        self._begun = self._others_done = self._all_done = 0.0

    def pytest_report_header(self) -> str:
        return f"beside the others: {', '.join(self._paths)}"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if self._is_chosen(item)]
        others = [item for item in items if not self._is_chosen(item)]
        if chosen and others:
            items[:] = others + chosen
            self._beside = {item.nodeid: item for item in chosen}
            for item in chosen:
                item.add_marker(pytest.mark.timeout(0), append=False)  # the second pytest has the limit

    def _is_chosen(self, item: pytest.Item) -> bool:
        file = item.nodeid.partition("::")[0]
        return any(file == path or file.startswith(f"{path}/") for path in self._paths)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        if not self._beside or self._config.option.collectonly or session.testsfailed:
            return (yield)
        with self._started():
            return (yield)

    @contextlib.contextmanager
    def _started(self) -> Iterator[None]:
        with tempfile.TemporaryDirectory(prefix="beside-") as name:
            folder = Path(name)
            tests, reports, self._output = folder / "tests", folder / "reports", folder / "output"
            tests.write_text("".join(f"{nodeid}\n" for nodeid in self._beside), encoding="utf-8")
            reports.touch()
            options = ["--rootdir", str(self._config.rootpath), "--beside-reports", str(reports)]
            options += ["-c", str(ini)] if (ini := self._config.inipath) else []
            with self._output.open("wb") as output, reports.open(encoding="utf-8") as lines:
                self._lines = _lines(lines)
                self._begun = time.time()
                self._second = Apart([*options, f"@{tests}"], self._config.rootpath, output)
                try:
                    yield
                finally:
                    self._second.end(at_once=not self._beside.keys() <= self._done)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        if item.nodeid not in self._beside:
            return None
        self._others_done = self._others_done or time.time()
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._reports_of(item):
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Whether both had the same to do."""
        if self._all_done:
            beside, others = (round(end - self._begun) for end in (self._all_done, self._others_done))
            terminalreporter.line(f"{others} s, and beside it {beside} s for {', '.join(self._paths)}")

    def _reports_of(self, item: pytest.Item) -> list[pytest.TestReport]:
        """Those of a test, once it is done."""
        assert self._second is not None
        ended = False
        while True:
            while (line := next(self._lines)) is not None:
                self._take(*json.loads(line))
            if item.nodeid in self._done:
                return self._reports.pop(item.nodeid)
            if ended:
                said = self._output.read_text(encoding="utf-8", errors="replace")[-5000:]
                message = f"The pytest beside this one ended before its tests:\n{said}"
                failed = pytest.TestReport(item.nodeid, item.location, {}, "failed", message, "call")
                return [*self._reports.pop(item.nodeid, []), failed]
            ended = self._second.has_ended(PAUSE)  # then there may be lines that were not there before

    def _take(self, kind: str, value: Any) -> None:
        hook = self._config.hook
        if kind == "report":
            report = hook.pytest_report_from_serializable(config=self._config, data=value)
            if isinstance(report.longrepr, list):  # where a skip was and why: a tuple, which JSON has not
                report.longrepr = tuple(report.longrepr)
            self._all_done = max(self._all_done, report.stop)
            self._reports.setdefault(report.nodeid, []).append(report)
        elif kind == "warning":
            message, name, where = value
            category = getattr(builtins, name, UserWarning)
            said = warnings.WarningMessage(category=category, **message)
            hook.pytest_warning_recorded.call_historic(kwargs={"warning_message": said, **where})
        else:
            self._done.add(value)


def _lines(file: Any) -> Iterator[str | None]:
    """The full lines of a file that grows; None each time there is no other one yet."""
    part = ""
    while True:
        part += file.readline()
        if part.endswith("\n"):
            yield part
            part = ""
        else:
            yield None


class Apart:
    """A pytest that is nobody's child: tests that look at the processes below their own do not see it.

    It has one end of a line whose other end is here; each sees when the other is gone.
    """

    _START = "import os, sys\nif pid := os.fork(): print(pid)\nelse: os.dup2(2, 1); os.execv(sys.argv[1], sys.argv[1:])"

    def __init__(self, arguments: Sequence[str], folder: Path, output: IO[bytes]) -> None:
        self._line, theirs = socket.socketpair()
        life = theirs.fileno()
        command = [sys.executable, "-m", "pytest", "--beside-life", str(life), *arguments]
        with theirs:
            started = subprocess.run(
                [sys.executable, "-c", self._START, *command],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=output,
                pass_fds=(life,),
                check=True,
            )
        self._pid = int(started.stdout)

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, or does within this time."""
        return bool(select.select([self._line], [], [], seconds)[0])

    def end(self, *, at_once: bool) -> None:
        """Wait for its end, but not forever; `at_once` it leaves its tests undone."""
        with self._line:
            if at_once:
                self._line.shutdown(socket.SHUT_WR)
            if not self.has_ended(PATIENCE):
                os.kill(self._pid, signal.SIGKILL)
