"""Published GGUF files of the models that people ask for: the names and sizes that their pages on the hub list.

None of them was made, downloaded or run by this project. A model without a page that lists a file is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from llmstep.catalog.models import ModelRecord


@attrs.frozen
class GgufFile:
    """A file for llama.cpp on the hub."""

    path: str
    """`owner/name/FILE.gguf`."""
    size: int
    """Bytes, as rounded as its page says it."""


FILES: Final = {
    "bytedance-seed/bfs-prover-v2-7b": GgufFile(
        "mradermacher/BFS-Prover-V2-7B-GGUF/BFS-Prover-V2-7B.Q4_K_M.gguf", 4_700_000_000
    ),
    "bytedance-seed/bfs-prover-v2-32b": GgufFile(
        "mradermacher/BFS-Prover-V2-32B-GGUF/BFS-Prover-V2-32B.Q6_K.gguf", 26_890_000_000
    ),
    "internlm/internlm2-step-prover": GgufFile(
        "tensorblock/internlm2-step-prover-GGUF/internlm2-step-prover-Q4_K_M.gguf", 4_713_000_000
    ),
    "internlm/internlm2_5-step-prover": GgufFile(
        "tensorblock/internlm2_5-step-prover-GGUF/internlm2_5-step-prover-Q4_K_M.gguf", 4_713_000_000
    ),
    "deepseek-ai/deepseek-prover-v2-7b": GgufFile(
        "unsloth/DeepSeek-Prover-V2-7B-GGUF/DeepSeek-Prover-V2-7B-Q4_K_M.gguf", 4_200_000_000
    ),
    "goedel-lm/goedel-prover-v2-8b": GgufFile(
        "mradermacher/Goedel-Prover-V2-8B-GGUF/Goedel-Prover-V2-8B.Q4_K_M.gguf", 5_030_000_000
    ),
    "ai-mo/kimina-prover-distill-8b": GgufFile(
        "mradermacher/Kimina-Prover-Distill-8B-GGUF/Kimina-Prover-Distill-8B.Q4_K_M.gguf", 5_030_000_000
    ),
    "qwen/qwen3-4b-instruct-2507": GgufFile(
        "unsloth/Qwen3-4B-Instruct-2507-GGUF/Qwen3-4B-Instruct-2507-Q4_K_M.gguf", 2_500_000_000
    ),
}
"""By the id of the model that they were made from, in small letters."""


def gguf_file(record: ModelRecord) -> GgufFile | None:
    """The published file of a model; None where none is known."""
    return FILES.get(record.repo_id.lower())
