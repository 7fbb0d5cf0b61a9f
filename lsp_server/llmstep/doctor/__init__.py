"""What is installed, what is missing, and what to do about it.

Facts are gathered one by one; none of them can fail the others. Everything that starts a program or opens a connection
has a time limit. Nothing is downloaded and nothing is changed.
"""

from __future__ import annotations

from typing import Any

from llmstep.wire.state import Finding


def ok(topic: str, text: str, **details: Any) -> Finding:
    """All is well."""
    return Finding(topic, "ok", text, "", details)


def note(topic: str, text: str, advice: str, **details: Any) -> Finding:
    """llmstep works, but this is worth knowing."""
    return Finding(topic, "note", text, advice, details)


def missing(topic: str, text: str, advice: str, **details: Any) -> Finding:
    """llmstep is not usable without it."""
    return Finding(topic, "missing", text, advice, details)
