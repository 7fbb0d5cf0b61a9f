"""Tools for agents: what `llmstep mcp` needs, and the companions that would do its work."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from llmstep.doctor.finding import Finding
from llmstep.mcp import companion


def agents() -> Finding:
    """Whether `llmstep mcp` can be started, and what is open in editors."""
    running = companion.running()
    details = {"companions": [{"pid": each.pid, "folders": [str(root) for root in each.roots]} for each in running]}
    try:
        installed: str | None = version("mcp")
        text = f"llmstep mcp can be started (mcp {installed})"
    except PackageNotFoundError:
        installed = None
        text = "llmstep mcp needs the package mcp (pip install 'llmstep[mcp]'); nothing else does"
    open_ = [str(root) for each in running for root in each.roots]
    text += f"; editors have open: {', '.join(open_)}" if open_ else "; no editor with llmstep has a folder open"
    return Finding("agents", "ok", text, details={"mcp": installed, **details})
