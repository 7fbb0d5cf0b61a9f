"""Makes an arm64 Python that runs here, under qemu, with what the decoder needs: tests of ARM code on x86-64 Debian.

    python tests/decoder/arm_kit.py build/arm      then      build/arm/python FILE

Programs and libraries come from Debian's packages for arm64, the rest from wheels. Nothing of it is installed but qemu.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "libbz2-1.0 libc6 libcrypt1 libexpat1 libffi8 libgcc-s1 libgomp1 liblzma5 libpython3.11-minimal "
    "libpython3.11-stdlib libsqlite3-0 libssl3 libstdc++6 libuuid1 python3.11-minimal zlib1g"
)
WHEELS = ("llvmlite", "numba", "numpy", "platformdirs", "safetensors", "threadpoolctl", "tokenizers")
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
RUN = """#!/bin/sh
# qemu's processor has no name that LLVM knows: what it has is said here.
export PYTHONPATH="{site}:{package}${{PYTHONPATH:+:$PYTHONPATH}}"
export NUMBA_CPU_NAME="${{NUMBA_CPU_NAME:-generic}}" NUMBA_CPU_FEATURES="${{NUMBA_CPU_FEATURES:-+neon,+dotprod}}"
exec qemu-aarch64-static -cpu max -L "{root}" "{root}/usr/bin/python3.11" "$@"
"""


def versions() -> list[str]:
    """The wheels, as constraints.txt pins them."""
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    return [f"{name}=={pins[name]}" if name in pins else name for name in WHEELS]


def build(folder: Path) -> None:
    debs, lists, root, site, wheels = (folder / name for name in ("debs", "lists", "root", "site", "wheels"))
    for each in (debs, lists / "partial", root, site, wheels):
        each.mkdir(parents=True, exist_ok=True)
    if not shutil.which("qemu-aarch64-static"):
        subprocess.run(["apt-get", "install", "-y", "-qq", "qemu-user-static"], check=True, stdout=subprocess.DEVNULL)
    options = ("APT::Architecture=arm64", "APT::Architectures=arm64", f"Dir::State::Lists={lists}")
    apt = ["apt-get", "-qq", *(f"-o{option}" for option in options)]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", *PACKAGES.split()], check=True, cwd=debs, stderr=subprocess.DEVNULL)
    for deb in debs.glob("*.deb"):
        subprocess.run(["dpkg", "-x", deb, root], check=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
    pip += ["--python-version", "3.11", "--implementation", "cp"]
    pip += [part for name in PLATFORMS for part in ("--platform", f"{name}_aarch64")]
    subprocess.run([*pip, *versions()], check=True)
    for wheel in wheels.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(site)
    run = folder / "python"
    run.write_text(RUN.format(site=site, root=root, package=ROOT / "lsp_server"))
    run.chmod(0o755)
    subprocess.run([run, "-c", "import platform, numba; print(platform.machine(), numba.__version__)"], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
