"""Packages that only some models need, and that a plain installation does not have."""

from __future__ import annotations

from importlib.util import find_spec

from llmstep.errors import MissingPackageError

EXTRAS = {"torch": "torch", "transformers": "torch", "accelerate": "torch", "peft": "lora"}
"""The extra of llmstep that brings each of them."""


def require(what: str, *packages: str) -> None:
    """
    Args:
        what: Who needs the packages, as the subject of a sentence.

    Raises:
        MissingPackageError: One of them is not installed.
    """
    for name in packages:
        if find_spec(name) is None:
            raise missing(what, name)


def missing(what: str, package: str) -> MissingPackageError:
    """The error for a package that is not installed."""
    title = {"torch": "PyTorch"}.get(package, package)
    return MissingPackageError(
        f"{what} needs {title}, which is not installed.",
        hint=f"Install it with `pip install 'llmstep[{EXTRAS[package]}]'`.",
    )
