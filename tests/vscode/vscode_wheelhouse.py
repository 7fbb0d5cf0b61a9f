"""A wheelhouse without gigabytes: for each package that llmstep needs, a wheel with its name, version and needs only.

One of them holds a path file, which lets the new environment see the packages of the Python that runs the tests. So pip
resolves and installs for real, and what it has installed works.
"""

from __future__ import annotations

import base64
import hashlib
import sysconfig
import zipfile
from importlib.metadata import Distribution, distribution
from typing import TYPE_CHECKING

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from pathlib import Path

WITH_PATH = "torch"


def make_wheelhouse(folder: Path, root: str = "llmstep") -> Path:
    """Wheels for all that `root` needs with PyTorch, not for itself."""
    folder.mkdir(parents=True)
    seen = {canonicalize_name(root)}
    todo = needs(distribution(root), {"torch"})
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        found = distribution(requirement.name)
        if name not in seen:
            seen.add(name)
            write_wheel(folder, found)
        todo += [each for each in needs(found, requirement.extras) if canonicalize_name(each.name) not in seen]
    return folder


def needs(found: Distribution, extras: set[str]) -> list[Requirement]:
    """What a package needs on this machine."""
    environments = [{**default_environment(), "extra": extra} for extra in ("", *extras)]
    all_of_them = [Requirement(line) for line in found.requires or ()]
    return [
        each
        for each in all_of_them
        if each.marker is None or any(each.marker.evaluate(environment) for environment in environments)
    ]


def write_wheel(folder: Path, found: Distribution) -> None:
    """A wheel that has a package's metadata and none of its files."""
    name = canonicalize_name(found.metadata["Name"]).replace("-", "_")
    info = f"{name}-{found.version}.dist-info"
    files = {
        f"{info}/METADATA": metadata(found),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: llmstep-tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if name == WITH_PATH:
        files["packages_of_the_tests.pth"] = sysconfig.get_path("purelib") + "\n"
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},{digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[record] += f"{record},,\n"
    with zipfile.ZipFile(folder / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


def metadata(found: Distribution) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {found.metadata['Name']}", f"Version: {found.version}"]
    lines += [f"Provides-Extra: {extra}" for extra in found.metadata.get_all("Provides-Extra") or ()]
    lines += [f"Requires-Dist: {line}" for line in found.requires or ()]
    return "\n".join(lines) + "\n"


def digest(text: str) -> str:
    sha = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(sha).rstrip(b"=").decode()
