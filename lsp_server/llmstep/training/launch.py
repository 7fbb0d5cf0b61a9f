"""Configurations for `accelerate launch`, as files in the package.

`python -m llmstep.training.launch fsdp` prints the path of one, to be put behind `--config_file`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

FILES = {file.stem: file for file in sorted((Path(__file__).parent / "launch_configs").glob("*.yaml"))}
"""By name: `ddp`, `fsdp` and `deepspeed`."""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prints the path of a configuration for `accelerate launch`.")
    parser.add_argument("name", choices=FILES)
    print(FILES[parser.parse_args().name])
