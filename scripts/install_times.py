"""How long an installation from the built wheel takes, and how large it is: `python scripts/install_times.py WHEEL`.

Each way starts with nothing: no cache, no environment. It ends with a suggestion of the bundled model, which is looked
at; so this is a test as well. `uv` and `pipx` come from PyPI.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL = "p q : Prop\nhp : p\n⊢ p ∨ q"
WANTED = "exact Or.inl hp"


def main() -> int:
    """Print a table; 1 where a way gives no suggestion."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "goal.txt").write_text(GOAL, encoding="utf-8")
        run([sys.executable, "-m", "venv", str(folder / "tools")])
        run([str(folder / "tools" / "bin" / "pip"), "install", "-q", "uv", "pipx"])
        tools = folder / "tools" / "bin"
        suggest = ["suggest", "--goal-file", str(folder / "goal.txt"), "--json", "--model", "starter"]
        uvx = [str(tools / "uvx"), "--no-config", "--python", sys.executable, "--from", str(wheel), "llmstep", *suggest]
        pipx = [str(tools / "pipx"), "install", "--quiet", "--python", sys.executable, str(wheel)]
        rows = [("`uvx --from WHEEL llmstep suggest`", *both(folder / "uv", uvx))]
        installed = [str(folder / "pipx" / "bin" / "llmstep"), *suggest]
        rows.append(("`pipx install WHEEL`, `llmstep suggest`", *both(folder / "pipx", pipx, installed)))
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}\n")
    print("| way | first suggestion, from nothing | the next one | on the disk |\n|---|---|---|---|")
    for way, first, second, size in rows:
        print(f"| {way} | {first:.0f} s | {second:.1f} s | {size / 1e6:.0f} MB |")
    return 0


def both(home: Path, install: list[str], suggest: list[str] | None = None) -> tuple[float, float, int]:
    """Seconds to the first and the second suggestion, and bytes on the disk."""
    home.mkdir()
    names = {"UV_CACHE_DIR": home / "cache", "PIPX_HOME": home / "pipx", "PIPX_BIN_DIR": home / "bin"}
    names |= {"PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": home / "user"}
    environment = {**os.environ, **{name: str(value) for name, value in names.items()}, "LLMSTEP_CONFIG": os.devnull}
    started = time.perf_counter()
    if suggest is not None:
        run(install, environment)
    check(run(suggest or install, environment))
    first = time.perf_counter() - started
    started = time.perf_counter()
    check(run(suggest or install, environment))
    return first, time.perf_counter() - started, size(home)


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """What a command prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def check(output: str) -> None:
    """Whether a suggestion came."""
    texts = [each["text"] for each in json.loads(output)["suggestions"]]
    if WANTED not in texts:
        raise SystemExit(f"No such suggestion came: {texts}")


def size(folder: Path) -> int:
    """Bytes of the files below a folder; one with several names counts once."""
    found = {stat.st_ino: stat.st_size for path in folder.rglob("*") if not path.is_dir() for stat in [path.lstat()]}
    return sum(found.values())


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
