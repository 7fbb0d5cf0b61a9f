"""The pages: every link to a file of the repository leads to one, and every test they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FRONT = ("README.md", "CONTRIBUTING.md", "vscode-extension/README.md")
PAGES = [*(ROOT / name for name in FRONT), *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")
_PICTURE = re.compile(r'(?:src|srcset)="(?!https?://)([^"]+)"')
_TEST = re.compile(r"`(tests/[\w/]+\.py)`((?:[^|`]*`test_\w+`)?)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [*_LINK.findall(text), *_PICTURE.findall(text)]
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)`", text)  # test_NAME.py stands for any
    assert [file for file in named if not (ROOT / file).is_file()] == []


def test_the_tests_that_the_table_of_servers_names_exist() -> None:
    page = ROOT / "docs" / "servers.md"
    named = _TEST.findall(page.read_text(encoding="utf-8"))
    assert len(named) >= 6
    for file, rest in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        for function in re.findall(r"`(test_\w+)`", rest):
            assert f"def {function}(" in source, (file, function)
