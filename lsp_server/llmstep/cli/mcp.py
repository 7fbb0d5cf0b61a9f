"""`llmstep mcp`: tools for agents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llmstep.address import is_loopback
from llmstep.cli.downloads import agree
from llmstep.cli.flags import PREMISES, Given, takes_settings
from llmstep.cli.options import configured, read_token
from llmstep.cli.process import end_now, run
from llmstep.cli.say import say
from llmstep.errors import RequestError, SettingsError

if TYPE_CHECKING:
    from llmstep.mcp.service import Service


@takes_settings(*PREMISES)
def mcp(
    root: Annotated[
        list[Path] | None,
        typer.Option(help="Folder in which files may be read; may be repeated. Default: the working folder."),
    ] = None,
    transport: Annotated[
        Literal["stdio", "http"], typer.Option(help="How clients speak with it; http is streamable HTTP, with a token.")
    ] = "stdio",
    host: Annotated[str, typer.Option(help="Address to listen at, with http.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at, with http; 0 for any free port.")
    ] = 6010,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that http clients must send; default LLMSTEP_TOKEN.")
    ] = None,
    share: Annotated[
        bool, typer.Option(help="Have a running editor's llmstep do the work for the project that it has open.")
    ] = True,
    *,
    given: Given,
) -> None:
    """Offer tools for agents by the Model Context Protocol.

    The tools are goal, check, suggest, prove and premises, each for a file
    and a position. Where an editor has the project open, its llmstep does the
    work, with its model and its Lean; options for these must agree with it.

    Example, for Claude Code: claude mcp add llmstep -- llmstep mcp
    """
    settings = configured({**given.values, "shareModel": None if share else False}).settings
    try:
        import mcp.server  # noqa: F401
    except ImportError:
        raise SettingsError(
            "llmstep mcp needs the package mcp, which is not installed.", hint="Install it: pip install 'llmstep[mcp]'."
        ) from None
    from llmstep.mcp.service import Service

    agree(settings, yes=given.yes)
    service = Service(settings, _roots(root), any_settings=not any(given.values.values()))
    token = _token(token_file, host) if transport == "http" else None
    run(_serve(service, host, port, token), status=0)
    end_now(0)  # a thread may still wait for stdin, or read a model


async def _serve(service: Service, host: str, port: int, token: str | None) -> None:
    """Serve over HTTP, or, without a token, at stdin and stdout."""
    from llmstep.mcp.server import make_server, run_http, run_stdio

    try:
        server = make_server(service)
        if token is None:
            await run_stdio(server)
        else:
            await run_http(server, host, port, token, lambda url: say(f"llmstep mcp listens at {url}"))
    finally:
        await service.close()


def _roots(given: list[Path] | None) -> list[Path]:
    """The folders of the options, else the working folder, unless that holds far more than a project."""
    for root in given or ():
        if not root.is_dir():
            raise RequestError(f"There is no folder {root}.", hint="Give the folder of a Lean project with --root.")
    here = Path.cwd()
    default = [] if here in (Path.home(), Path(here.anchor)) else [here]
    return [root.resolve() for root in given] if given else default


def _token(file: Path | None, host: str) -> str:
    """The token of the file or the environment; on loopback one is made where neither has one, and shown.

    Raises:
        SettingsError: There is none, and other machines reach the server; or there are several.
    """
    token = read_token(file)
    if token is None and is_loopback(host):
        from llmstep.mcp.companion import new_token

        token = new_token()
        say(f"Clients must send the header: Authorization: Bearer {token}")
    if not isinstance(token, str):
        raise SettingsError(
            f"llmstep mcp needs one token to listen at {host or 'all addresses'}.",
            hint="Put it into a file and give --token-file FILE, or set LLMSTEP_TOKEN.",
        )
    return token
