"""`llmstep lsp`: the language server."""

from __future__ import annotations

import sys

import typer

from llmstep.cli.say import say


def lsp(
    tcp: str = typer.Option("", metavar="HOST:PORT", help="Listen here for one client, for debugging; port 0 is any."),
    ws: str = typer.Option("", metavar="HOST:PORT", help="The same with a WebSocket."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Log every message to stderr."),
) -> None:
    """Run the language server for one editor, at stdin and stdout.

    Settings come from the editor: initialization options, `workspace/configuration` or `didChangeConfiguration`;
    below those lie your settings file and the project's llmstep.toml, above them the environment.

    Example: llmstep lsp --tcp 127.0.0.1:8765
    """
    import gc
    import logging

    gc.disable()  # the protocol's hundreds of classes are made faster, and none of them is garbage
    from llmstep.lsp.setup import create_session
    from llmstep.lsp.transport import end_process, run_stdio, run_tcp, run_ws

    gc.enable()
    gc.freeze()
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    configure()
    if sys.stdin.isatty() and not (tcp or ws):
        say("llmstep lsp waits for an editor at stdin; Ctrl-C ends it. `llmstep --help` lists the commands.", err=True)
    server = create_session()
    if tcp:
        status = run_tcp(server, *_address(tcp))
    elif ws:
        status = run_ws(server, *_address(ws))
    else:
        status = run_stdio(server)
    end_process(status)


def configure() -> None:
    """Make threads that work on a long text give way to the event loop soon."""
    import gc

    sys.setswitchinterval(0.001)  # Python's own is five milliseconds
    gc.disable()  # `lsp/upkeep.py` collects in pauses


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not of the form HOST:PORT, 127.0.0.1:8765 for example")
    return host.strip("[]") or "127.0.0.1", int(port)
