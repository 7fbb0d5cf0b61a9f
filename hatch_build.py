"""What the metadata of a release has, and a clone does not: addresses, and a README whose links hold on PyPI.

The variable REPOSITORY is the address of the repository, REF the tag; the release workflow sets them. Without
REPOSITORY the README is as it is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?://|#|mailto:)([^)\s]+)\)")
_SOURCE = re.compile(r'((?:src|srcset)=")(?!https?://)([^"]+)(")')


class ReleaseMetadata(MetadataHookInterface):
    """The fields `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("REPOSITORY", "").rstrip("/")
        if repository:
            text = absolute(text, repository, os.environ.get("REF") or "HEAD")
            metadata["urls"] = urls(repository)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def urls(repository: str) -> dict[str, str]:
    """The addresses that PyPI shows beside the project."""
    return {
        "Repository": repository,
        "Documentation": f"{repository}/tree/HEAD/docs",
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def absolute(text: str, repository: str, ref: str) -> str:
    """A page with its links and pictures at the repository."""

    def link(found: re.Match[str]) -> str:
        image, label, target = found.groups()
        return f"{image}{label}({repository}/{'raw' if image else 'blob'}/{ref}/{target})"

    return _SOURCE.sub(rf"\g<1>{repository}/raw/{ref}/\g<2>\g<3>", _LINK.sub(link, text))
