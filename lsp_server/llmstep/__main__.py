"""The `llmstep` command, also as `python -m llmstep`."""

import gc


def main() -> None:
    """Run a command line; see `llmstep.cli`."""
    gc.disable()  # what is imported stays until the end, and looking through it takes a tenth of a short run
    from llmstep.cli import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
