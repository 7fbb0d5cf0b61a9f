#!/usr/bin/env python3
"""The Lean package for one toolchain, as a folder or as a git tag that is named after the toolchain.

    python scripts/tag_lean_package.py v4.20.0 --out FOLDER     # the files, to look at or to try
    python scripts/tag_lean_package.py v4.20.0 --tag            # a commit on top of HEAD with them, tagged v4.20.0

The sources are for v4.27.0 and newer. For an older Lean they are changed as `changed` says, and parts that it cannot
have are left out. Nothing is pushed, and neither the working tree nor the index is touched.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

Version = tuple[int, int]

MODULES: Version = (4, 27)
"""Modules are stable and `String.trimAscii` exists."""
TRY: Version = (4, 26)
"""`@[try_suggestion]` exists."""
RPC: Version = (4, 20)
"""`RequestM` is as `LLMstep/Rpc.lean` has it."""
OLDEST: Version = (4, 12)

TRIMS = {"trimAsciiEnd": "trimRight", "trimAsciiStart": "trimLeft", "trimAscii": "trim"}


def version_of(tag: str) -> Version:
    """`(4, 20)` of `v4.20.0`, release candidates included.

    Raises:
        ValueError: It is no name of a toolchain, or too old a one.
    """
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+(?:-rc\d+)?", tag)
    if match is None:
        raise ValueError(f"{tag} is no name of a toolchain. Give one such as v4.27.0.")
    version = (int(match[1]), int(match[2]))
    if version < OLDEST:
        raise ValueError(f"The package needs v{OLDEST[0]}.{OLDEST[1]}.0 or newer, not {tag}.")
    return version


def without_module_header(text: str) -> str:
    """A file of the package as a file that is not a module."""
    text = re.sub(r"^module$", "", text, flags=re.MULTILINE)
    text = re.sub(r"^public meta import ", "import ", text, flags=re.MULTILINE)
    return re.sub(r"^public meta section$", "section", text, flags=re.MULTILINE)


def with_old_trims(text: str) -> str:
    """`trimAscii` and its kin, which give a slice, under the names of the functions that gave a string before."""
    return re.sub(r"\btrimAscii(?:End|Start)?\b", lambda match: TRIMS[match[0]], text)


def left_out(version: Version) -> set[str]:
    """The files that a version cannot have."""
    gone = set()
    if version < MODULES:
        gone.add("lean/LLMstepTest/InAModule.lean")
    if version < TRY:
        gone.add("lean/LLMstep/Try.lean")
    if version < RPC:
        gone.add("lean/LLMstep/Rpc.lean")
    return gone


def changed(name: str, text: str, version: Version, tag: str) -> str:
    """A file as it must be for a version."""
    if name == "lean-toolchain":
        return f"leanprover/lean4:{tag}\n"
    if name.endswith(".lean") and version < MODULES:
        text = with_old_trims(without_module_header(text))
        for gone in left_out(version):
            module = gone.removeprefix("lean/").removesuffix(".lean").replace("/", ".")
            text = re.sub(rf"^import {re.escape(module)}\n", "", text, flags=re.MULTILINE)
    return text


def files(version: Version, tag: str, root: Path = ROOT) -> dict[str, str]:
    """The package's files for a version, by their paths."""
    names = ["lakefile.toml", "lake-manifest.json", "lean-toolchain", "LICENSE", "docs/lean-package.md"]
    names = [name for name in names if (root / name).is_file()]
    names += sorted(
        str(file.relative_to(root)) for file in (root / "lean").rglob("*") if file.suffix in {".lean", ".py"}
    )
    gone = left_out(version)
    return {
        name: changed(name, (root / name).read_text(encoding="utf-8"), version, tag)
        for name in names
        if name not in gone
    }


def write(made: dict[str, str], folder: Path) -> None:
    """Writes the files into a folder."""
    for name, text in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def make_tag(made: dict[str, str], gone: set[str], tag: str, root: Path = ROOT) -> str:
    """A commit on top of HEAD in which the files are these, and a tag for it; the id of the commit."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}

        def git(*words: str, given: str | None = None) -> str:
            done = subprocess.run(
                ["git", *words],
                cwd=root,
                env=environment,
                input=given,
                capture_output=True,
                encoding="utf-8",
                check=True,
            )
            return done.stdout.strip()

        git("read-tree", "HEAD")
        for name, text in made.items():
            blob = git("hash-object", "-w", "--stdin", given=text)
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
        for name in gone:
            git("update-index", "--force-remove", name)
        tree = git("write-tree")
        commit = git("commit-tree", tree, "-p", "HEAD", "-m", f"The Lean package for {tag}")
        git("tag", tag, commit)
        return commit


def main() -> int:
    parser = argparse.ArgumentParser(description="The Lean package for one toolchain.")
    parser.add_argument("toolchain", help="v4.20.0, for example")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, metavar="FOLDER", help="write the files there")
    target.add_argument("--tag", action="store_true", help="make a git tag")
    given = parser.parse_args()
    try:
        version = version_of(given.toolchain)
        made = files(version, given.toolchain)
        if given.out is not None:
            write(made, given.out)
            print(f"{len(made)} files in {given.out}")
        else:
            commit = make_tag(made, left_out(version), given.toolchain)
            print(f"{given.toolchain} is {commit[:12]}; publish it with: git push origin {given.toolchain}")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"git {error.cmd[1]} failed: {error.stderr.strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
