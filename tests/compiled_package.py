"""The Lean package compiled for the kit.

The kit's library is not made of modules, so a copy of `lean/` without the `module` headers is compiled. This is the
only difference, and `lean_package/test_package.py` asserts that it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))

from tag_lean_package import without_module_header  # noqa: E402

__all__ = ["SOURCES", "environment", "package", "without_module_header"]

SOURCES = ROOT / "lean"
STAGES = [["Options", "Guard"], ["Client"], ["Check"], ["Tactic", "Rpc", "Try"], [""]]
"""The modules in the order of their imports; those of one stage are compiled at the same time."""


@pytest.fixture(scope="session")
def package(lean: Path) -> Path:
    """The folder of the compiled package, for `LEAN_PATH`. It is kept in `build/` as long as nothing changes."""
    texts = {
        f"LLMstep/{name}" if name else "LLMstep": without_module_header(
            (SOURCES / "LLMstep" / f"{name}.lean" if name else SOURCES / "LLMstep.lean").read_text("utf-8")
        )
        for name in itertools.chain(*STAGES)
    }
    library = (lean.parent.parent / "lib" / "lean" / "Lean.olean").stat()
    key = hashlib.sha256(repr((texts, str(lean), library.st_mtime_ns, library.st_size)).encode()).hexdigest()[:16]
    out = ROOT / "build" / "lean_package" / key
    if not out.is_dir():
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as name:
            compile_all(lean, Path(name), texts)
            with contextlib.suppress(OSError):  # a pytest beside this one has been faster
                (Path(name) / "package").rename(out)
    return out


def compile_all(lean: Path, folder: Path, texts: dict[str, str]) -> None:
    """Makes `package` in a folder."""
    out = folder / "package"
    (out / "LLMstep").mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        for stage in STAGES:
            modules = [f"LLMstep/{name}" if name else "LLMstep" for name in stage]
            assert list(pool.map(lambda m: compiled(lean, out, m, texts[m]), modules)) == [(0, "")] * len(stage)


def compiled(lean: Path, out: Path, module: str, text: str) -> tuple[int, str]:
    (out / f"{module}.lean").write_text(text, "utf-8")
    options = ["-DautoImplicit=false", "-Dlinter.missingDocs=true"]  # as in lakefile.toml
    command = [lean, *options, "-R", ".", "-o", f"{module}.olean", f"{module}.lean"]
    done = subprocess.run(command, cwd=out, env=environment(out), capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def environment(package: Path, **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LLMSTEP_") and not k.lower().endswith("_proxy")}
    return {**clean, "LEAN_PATH": str(package), **more}
