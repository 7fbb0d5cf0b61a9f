"""Loading a model of the tests, damaged or not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstep.engine.device import Placement
from llmstep.engine.loader import inspect, load

if TYPE_CHECKING:
    from pathlib import Path

    from llmstep.engine.loaded import LoadedModel
    from llmstep.errors import ModelError

CPU = Placement("cpu", "float32")


def open_model(folder: Path, placement: Placement = CPU, **options: Any) -> LoadedModel:
    return load(inspect(folder, name="m", placement=placement, **options))


def edit_json(path: Path, **changes: Any) -> None:
    raw = json.loads(path.read_text())
    raw.update(changes)
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))


def failure(folder: Path, kind: type[ModelError], **options: Any) -> ModelError:
    with pytest.raises(kind) as caught:
        open_model(folder, **options)
    assert type(caught.value) is kind
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith((".", "some."))
    assert "\n" not in caught.value.message
    return caught.value
