"""The processes of a Lean server: what they see of our environment; how they are found, measured and ended.

A Lean server is a family: `lake` or elan's launcher, the watchdog, and one worker for each open file. The workers lead
sessions of their own, so ending a process group does not reach them; they are found as descendants and, once their
parent is dead, by a mark in their environment.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs
import psutil

from llmstep.lean.step_words import words

_NEEDED: Final = words(
    "PATH HOME USER LOGNAME SHELL PWD TZ TERM LANG LANGUAGE LOCALE_ARCHIVE TMPDIR TMP TEMP "
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE NIX_SSL_CERT_FILE "
    "GIT_SSL_CAINFO GIT_SSL_CAPATH GIT_EXEC_PATH "
    "CC CXX AR SDKROOT DEVELOPER_DIR MACOSX_DEPLOYMENT_TARGET LD_LIBRARY_PATH DYLD_LIBRARY_PATH "
    "DYLD_FALLBACK_LIBRARY_PATH MATHLIB_CACHE_DIR LLMSTEP_HOST LLMSTEP_PORT "
    "SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT OS USERPROFILE USERNAME USERDOMAIN HOMEDRIVE HOMEPATH APPDATA "
    "LOCALAPPDATA PROGRAMDATA PROGRAMFILES PROGRAMFILES(X86) PROGRAMW6432 COMMONPROGRAMFILES COMMONPROGRAMFILES(X86) "
    "COMMONPROGRAMW6432 ALLUSERSPROFILE PUBLIC NUMBER_OF_PROCESSORS PSMODULEPATH MSYSTEM LAKE LEAN ELAN"
)
"""Names that Lean, lake, elan, git, curl and the system's libraries read, in capitals."""
_FAMILIES: Final = ("LC_", "ELAN_", "LAKE_", "LEAN_", "LEANSHARED", "XDG_", "PROCESSOR_")
_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASS|.PWD|CREDENTIAL|AUTH|COOKIE|SESSION|PRIVATE|SIGNATURE")
"""What a name has that may hold a secret. `PWD` itself is the folder."""


def lean_environment(further: Sequence[str] = (), source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that Lean, lake and what they start are given.

    Names that look like those of secrets are always left out, also when a setting asks for them.

    Args:
        further: Names that the user wants to hand on too.
        source: Where they come from; None is the environment of this process.
    """
    wanted = _NEEDED.union(name.upper() for name in further)
    given = {
        name: value
        for name, value in (os.environ if source is None else source).items()
        if (name.upper() in wanted or name.upper().startswith(_FAMILIES)) and not _SECRET.search(name.upper())
    }
    given["GIT_TERMINAL_PROMPT"] = "0"  # there is nobody to answer
    return given


MARK = "LLMSTEP_LEAN_SERVER"
_LOOK_SECONDS: Final = 0.01

Role = Literal["launcher", "watchdog", "worker"]


@attrs.frozen
class LeanProcess:
    """One process of a Lean server."""

    pid: int
    role: Role
    rss_bytes: int
    """Resident memory, with the pages of .olean files that other Lean processes share."""
    private_bytes: int = 0
    """Memory that is freed when it ends, see `private_bytes`."""
    uri: str = ""
    """With a worker, the document it elaborates."""


def spawn_options(mark: str, variables: Sequence[str] = ()) -> dict[str, Any]:
    """Arguments of the spawning call: a clean environment, the mark, and out of reach of a Ctrl-C meant for us."""
    options: dict[str, Any] = {"env": {**lean_environment(variables), MARK: mark}}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    else:
        options["start_new_session"] = True
    return options


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants; empty when it is gone."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def marked(mark: str) -> list[psutil.Process]:
    """The processes with this mark, orphans included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):  # not ours, or just gone
            continue
    return found


def end(processes: Iterable[psutil.Process]) -> None:
    """Kills what still runs."""
    for process in processes:
        try:
            process.kill()
        except psutil.Error:
            continue


async def gone(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Waits until killed processes are dead, so that their memory is free, for so many seconds at most."""
    for _ in range(int(seconds / _LOOK_SECONDS)):
        if not any(map(_lives, processes)):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.is_running())
    except psutil.Error:
        return False


async def spinning(pid: int, seconds: float = 0.5) -> bool:
    """Whether a process has a thread that computes without a pause for this long.

    On Linux that is seen from the threads' states, which do not depend on how busy the machine is otherwise; elsewhere
    from the time used.
    """
    steps = 10
    before = running = _running_threads(pid)
    used = _cpu_seconds(pid)
    for _ in range(steps):
        if running is not None and not running:
            return False
        await asyncio.sleep(seconds / steps)
        now = _running_threads(pid)
        running = None if running is None or now is None else running & now
    if before is None:
        return _cpu_seconds(pid) - used > seconds / 2
    return bool(running)


def _running_threads(pid: int) -> set[str] | None:
    """Ids of the threads that run or could; None where the system does not say."""
    if not sys.platform.startswith("linux"):
        return None
    running = set()
    try:
        for task in os.scandir(f"/proc/{pid}/task"):
            with open(f"{task.path}/stat", encoding="utf-8", errors="replace") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "R":
                    running.add(task.name)
    except OSError:  # the process or the thread is gone
        pass
    return running


def _cpu_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def describe(processes: Iterable[psutil.Process]) -> list[LeanProcess]:
    """What is running, without the dead that nobody has waited for."""
    described = []
    for process in processes:
        try:
            with process.oneshot():
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                words = process.cmdline()
                rss, private = process.memory_info().rss, private_bytes(process)
                described.append(LeanProcess(process.pid, _role(words), rss, private, _document(words)))
        except psutil.Error:
            continue
    return described


def private_bytes(process: psutil.Process) -> int:
    """Memory that is this process's alone and not on the disk already, swapped out or not.

    On Linux that is read in microseconds from what the kernel counts anyway. The unique set size (USS) of the other
    systems also has the pages of .olean files that no other process has read, and takes milliseconds.
    """
    if not sys.platform.startswith("linux"):
        try:
            return int(process.memory_full_info().uss)
        except psutil.AccessDenied:  # macOS shows it to few
            return int(process.memory_info().rss)
    kilobytes = 0
    try:
        with open(f"/proc/{process.pid}/status", encoding="utf-8", errors="replace") as status:
            for line in status:
                if line.startswith(("RssAnon:", "VmSwap:")):
                    kilobytes += int(line.split()[1])
    except OSError:  # just gone
        return 0
    return kilobytes * 1024


def _role(words: list[str]) -> Role:
    if "--worker" in words:
        return "worker"
    return "watchdog" if "--server" in words else "launcher"


def _document(words: list[str]) -> str:
    """The watchdog starts a worker with the document's URI as its last argument."""
    return words[-1] if "--worker" in words else ""
