"""What lists and pages of models say about one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord
    from llmstep.wire.models import ModelRow


def row(record: ModelRecord) -> ModelRow:
    """What is known about a model."""
    from llmstep.wire.models import ModelRow

    return ModelRow(**row_fields(record))


def row_fields(record: ModelRecord) -> dict[str, Any]:
    """The fields of the `ModelRow` for a model."""
    from llmstep.catalog import store

    return {
        "name": record.name,
        "id": record.repo_id or None,
        "parameters": store.parameters(record),
        "size_bytes": store.size_bytes(record),
        "licence": record.licence,
        "reported_minif2f_test": record.score,
        "source": record.score_source,
        "cached": store.is_cached(record),
        "template": record.template,
        "trust_remote_code": record.trust_remote_code,
        "added": record.added,
        "stops": record.stops,
        "summary": record.summary,
    }


def weights_text(count: int | None) -> str:
    """`300 M`."""
    if count is None:
        return "-"
    return f"{count / 1e9:.1f} B" if count >= 1e9 else f"{count / 1e6:.3g} M"


def size_text(size: int | None) -> str:
    """`1.2 GB`."""
    if size is None:
        return "-"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
