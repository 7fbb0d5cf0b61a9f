"""Makes a newer Neovim than the wheel's, from packages of a newer Debian, which are unpacked and not installed.

    python tests/neovim/kit.py build/neovim      then      build/neovim/nvim

Needs apt on x86-64; takes seconds, and 12 MB. A second call does nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

RELEASE = "forky"
SOURCE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {release} main\n"
RUN = """#!/bin/sh
root={root}
export VIMRUNTIME="$root/usr/share/nvim/runtime"
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/nvim" "$@"
"""


class KitError(Exception):
    """It cannot be made here; the message is one sentence."""


def build(folder: Path) -> Path:
    """Make it, unless it is there.

    Raises:
        KitError: Not on this machine, or not now.
    """
    program = folder / "nvim"
    if program.exists():
        return program
    if sys.platform != "linux" or not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise KitError("Neovim of a newer Debian needs apt.")
    shutil.rmtree(folder, ignore_errors=True)
    lists, cache, root = (folder / name for name in ("lists", "cache", "root"))
    for each in (lists / "partial", cache / "archives" / "partial", root):
        each.mkdir(parents=True)
    # Nothing counts as installed, so that the C library that it wants comes along.
    (folder / "status").touch()
    (folder / "sources.list").write_text(SOURCE.format(release=RELEASE))
    options = {
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::State": folder,
        "Dir::State::lists": lists,
        "Dir::State::status": folder / "status",
        "Dir::Cache": cache,
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
    }
    apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    for command in ([*apt, "update"], [*apt, "-y", "--download-only", "install", "neovim"]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise KitError(f"Debian {RELEASE} gave no Neovim: {done.stderr.strip()[-500:]}")
    for deb in (cache / "archives").glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    shutil.rmtree(cache)
    shutil.rmtree(lists)
    program.write_text(RUN.format(root=root))
    program.chmod(0o755)
    return program


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]).resolve())
    except KitError as error:
        sys.exit(f"tests: {error}")
