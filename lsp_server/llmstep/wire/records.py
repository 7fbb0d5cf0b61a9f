"""From records to JSON, in the two spellings of names."""

from __future__ import annotations

from typing import Any

import attrs

from llmstep.setting_values import wire_name


def is_protocol(cls: Any) -> bool:
    """Whether a class is one of the Language Server Protocol."""
    return getattr(cls, "__module__", "").startswith("lsprotocol")


def to_editor(record: Any) -> Any:
    """A record of this room as an editor gets it: `remaining_goals` is `remainingGoals`.

    What the protocol has a form for is left to the protocol's own converter.
    """
    if isinstance(record, (list, tuple)):
        return [to_editor(each) for each in record]
    if not attrs.has(type(record)) or is_protocol(type(record)):
        return record
    return {wire_name(name): to_editor(value) for name, value in attrs.asdict(record, recurse=False).items()}


def to_json(record: Any) -> Any:
    """The same as `--json` prints it; what is no record stays as it is."""
    if isinstance(record, (list, tuple)):
        return [to_json(each) for each in record]
    return attrs.asdict(record) if attrs.has(type(record)) else record
