"""From records to JSON, in the two spellings of names."""

from __future__ import annotations

from typing import Any

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from llmstep.setting_values import wire_name

_PACKAGE = "llmstep.wire."


def _editors_converter() -> Converter:
    converter = Converter()

    def is_own(cls: Any) -> bool:
        return attrs.has(cls) and str(getattr(cls, "__module__", "")).startswith(_PACKAGE)

    def unstructure(cls: Any) -> Any:
        names = {each.name: override(rename=wire_name(each.name)) for each in attrs.fields(cls)}
        return make_dict_unstructure_fn(cls, converter, **names)  # type: ignore[arg-type]

    def leave(cls: Any) -> Any:
        return lambda value: value

    # What the protocol has a form for is left to the protocol's own converter.
    converter.register_unstructure_hook_factory(lambda cls: attrs.has(cls) and not is_own(cls), leave)
    converter.register_unstructure_hook_factory(is_own, unstructure)
    return converter


_editors = _editors_converter()


def to_editor(record: Any) -> Any:
    """A record of this room as an editor gets it: `remaining_goals` is `remainingGoals`."""
    return _editors.unstructure(record)


def to_json(record: Any) -> Any:
    """The same as `--json` prints it; what is no record stays as it is."""
    if isinstance(record, (list, tuple)):
        return [to_json(each) for each in record]
    return attrs.asdict(record) if attrs.has(type(record)) else record
