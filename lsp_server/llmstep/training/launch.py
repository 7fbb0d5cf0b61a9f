"""Configurations for `accelerate launch`, as files in the package.

`python -m llmstep.training.launch fsdp` prints the path of one, to be put behind `--config_file`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from llmstep.errors import LlmstepError, RequestError

FOLDER = Path(__file__).parent / "launch_configs"


def launch_config(name: str) -> Path:
    """The file of a configuration: `ddp`, `fsdp` or `deepspeed`.

    Raises:
        RequestError: There is none of this name.
    """
    file = FOLDER / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))
        raise RequestError(f"There is no configuration {name!r} for accelerate.", hint=f"Choose one of {known}.")
    return file


if __name__ == "__main__":
    try:
        print(launch_config(sys.argv[1] if len(sys.argv) == 2 else ""))
    except LlmstepError as error:
        sys.exit(f"llmstep: {error}")
