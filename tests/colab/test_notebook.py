"""The notebook for free GPUs, cell by cell in a real kernel: the starter model, and loopback instead of the tunnel."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import nbformat
import pytest
from nbclient import NotebookClient
from ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "colab" / "llmstep.ipynb"
GOAL = "p q : Prop\nhp : p\nhq : q\n⊢ p ∧ q"


class Run:
    """A run of the notebook, one cell after the other."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client
        self.cells = {cell["id"]: (number, cell) for number, cell in enumerate(client.nb.cells)}

    async def cell(self, name: str) -> str:
        """What a cell prints."""
        number, cell = self.cells[name]
        done = await self.client.async_execute_cell(cell, number)
        return "".join(output.get("text", "") for output in done["outputs"])


@asynccontextmanager
async def running(folder: Path, **parameters: Any) -> AsyncIterator[Run]:
    """The notebook in a kernel of this Python, in a folder of its own, with other parameters."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    [cell] = [each for each in notebook.cells if "parameters" in each["metadata"].get("tags", [])]
    for name, value in parameters.items():
        cell["source"], times = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value!r}", cell["source"])
        assert times == 1
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    async with client.async_setup_kernel():
        yield Run(client)


@pytest.fixture(autouse=True)
def _kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of this Python, whatever kernels the machine has, which keeps its files to itself."""
    specification = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    specification.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in [name for name in os.environ if name.startswith("LLMSTEP_")]:
        monkeypatch.delenv(name)


async def test_the_notebook_serves_what_its_settings_name(tmp_path: Path) -> None:
    folder = tmp_path / "notebook"
    folder.mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with running(folder, MODEL="starter", PORT=port, TUNNEL="none") as run:
        await run.cell("parameters")
        assert await run.cell("install") == ""
        assert (await run.cell("start")).splitlines()[-1] == f"llmstep listens at {url} with the model starter"
        assert "llmstep listens at" in (folder / "llmstep.log").read_text()  # a pipe would fill
        assert await run.cell("tunnel") == "not wanted\n"
        assert (await run.cell("try")).strip()
        printed = await run.cell("settings")
        block, _, rest = printed.partition("}\n")
        exports = dict(line.removeprefix("export ").split("=", 1) for line in rest.splitlines())
        assert json.loads(block + "}") == {
            "llmstep.engine": "llmstep",
            "llmstep.remote.url": url,
            "llmstep.remote.allowNonLoopback": False,
        }
        assert (exports["LLMSTEP_SERVER"], exports["LLMSTEP_HOST"]) == ("COLAB", url)
        token = exports["LLMSTEP_API_KEY"]
        file = folder / "llmstep-token"
        assert (file.read_text(), file.stat().st_mode & 0o777) == (token, 0o600)
        question = {"tactic_state": GOAL, "prefix": "exact", "context": ""}
        async with httpx.AsyncClient(
            trust_env=False, timeout=60
        ) as upstream:  # as the tactic asks with LLMSTEP_SERVER=COLAB
            assert (await upstream.post(url, json=question)).status_code == 401
            answer = await upstream.post(url, json=question, headers={"Authorization": f"Bearer {token}"})
            assert all(text.startswith("exact") for text in answer.json()["suggestions"])
            # As the tunnel passes a request on: from this machine, with the host that it is told to name.
            passed = {"Authorization": f"Bearer {token}", "Host": "127.0.0.1"}
            assert (await upstream.post(url, json=question, headers=passed)).status_code == 200
        assert (await asyncio.to_thread(suggestions, url, token))["model"] == "starter"
        assert await run.cell("stop") == ""
        assert not file.exists()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as late:
            with pytest.raises(httpx.ConnectError):
                await late.get(f"{url}/health")


def suggestions(url: str, key: str) -> Any:
    """Those that the command line gets with the settings of the notebook."""
    command = [sys.executable, "-m", "llmstep", "suggest", "--goal-file", "-", "--json"]
    done = subprocess.run(
        [*command, "--engine", "llmstep", "--remote-url", url],
        env={**os.environ, "LLMSTEP_API_KEY": key},
        input=GOAL.encode(),
        capture_output=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["suggestions"]
    return answer


async def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    async with running(tmp_path, MODEL="no-such-model", PORT=free_port(), TUNNEL="none") as run:
        await run.cell("parameters")
        await run.cell("install")
        with pytest.raises(CellExecutionError) as caught:
            await run.cell("start")
        said = "".join(output.get("text", "") for output in run.cells["start"][1]["outputs"])
        assert "There is no model 'no-such-model' in the catalog." in said
        assert "The server has ended" in str(caught.value)


def test_the_notebook_is_shipped_without_results() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)
