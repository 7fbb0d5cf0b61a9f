"""A hook of mkdocs: links of a page to files that are not on the site, which hold in the repository.

They lead to the repository where mkdocs.yml names it (`repo_url`), and are plain text otherwise.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)#\s]+)((?:#[^)]*)?)\)")


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files, **_: Any) -> str:
    """The page with such links replaced."""

    def elsewhere(link: re.Match[str]) -> str:
        text, target, anchor = link.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.src_uri), target))
        found = files.get_file_from_path(path)
        if found is not None and found.inclusion.is_included():
            return link[0]
        if not path.startswith("../") and found is None:
            return link[0]  # a wrong link, of which mkdocs tells
        if not config.repo_url:
            return text
        place = posixpath.normpath(posixpath.join("docs", path))
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/HEAD/{place}{anchor})"

    return _LINK.sub(elsewhere, markdown)
