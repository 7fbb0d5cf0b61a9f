"""Imports that are out of date, in an editor: said, built when the user asks, noticed when another file is saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from client import CAPABILITIES, Editor, editor
from fake_lake import FakeLake
from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.lean, pytest.mark.asyncio(loop_scope="session")]

TEXT = "import Dep\n\ntheorem t (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n  sorry\n"
DEP = "theorem {} (p : Prop) (hp : p) : p := hp\n"
WATCHES = {
    **CAPABILITIES,
    "experimental": {"llmstepMessages": True},
    "workspace": {**CAPABILITIES["workspace"], "didChangeWatchedFiles": {"dynamicRegistration": True}},
}


async def test_stale_imports_from_the_message_to_the_build_and_to_the_next_save(
    tmp_path: Path, lean: Path, options: dict[str, Any]
) -> None:
    lake = FakeLake(tmp_path, lean)
    lake.control(say="info: downloading component 'lean'")
    lake.hold()
    dep = lake.source("Dep", DEP.format("first"))
    parts: list[Any] = []
    registered: list[types.Registration] = []
    made = Editor()
    made.client.feature("llmstep/message")(lambda params: parts.append(params))

    @made.client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register(params: types.RegistrationParams) -> None:
        registered.extend(params.registrations)

    command = [str(lake.program), "serve", "--", "-Dserver.reportDelayMs=0"]
    mine = {**options, "lean": {"command": command}}
    async with editor(lake.root, made=made, options=mine, capabilities=WATCHES):
        page = made.open(lake.root / "A.lean", TEXT)
        document = {"textDocument": {"uri": page.uri}}
        asked = asyncio.create_task(page.suggest(page.at("sorry"), token="start"))
        starts = "Starting Lean: info: downloading component 'lean'"
        await made.until(lambda: starts in [each.get("message") for each in made.progress.get("start", [])])
        lake.go_on()
        with pytest.raises(JsonRpcException, match="The imports of this file are out of date"):
            await asked
        [part] = parts
        assert (part.kind, part.code) == ("error", "lean_imports")
        assert f"Run `lake build Dep` in {lake.root}" in part.hint
        assert lake.calls("build") == []

        answer = await made.execute("llmstep.buildImports", document, token="build")
        assert answer["said"] == "Build completed successfully."
        said = [str(each.get("message")) for each in made.progress["build"]]
        assert any(line.startswith("✔ [1/1] Built Dep") for line in said)
        assert said[-1] == "The imports are built"
        found = await page.suggest(page.at("sorry"), prefix="exact ", count=8)
        assert found["suggestions"]
        assert await page.hints()

        [watched] = [each for each in registered if each.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES]
        assert watched.register_options is not None
        other = types.TextDocumentIdentifier((lake.root / "Other.lean").as_uri())
        made.client.text_document_did_save(types.DidSaveTextDocumentParams(other))
        assert await page.hints()
        lake.source("Dep", DEP.format("second"))
        made.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(dep.as_uri())))
        assert await page.hints() == [], "what rests on the old import is forgotten"
        with pytest.raises(JsonRpcException, match="The imports of this file are out of date"):
            await page.suggest(page.at("sorry"))

        await made.execute("llmstep.buildImports", document)
        await page.suggest(page.at("sorry"), prefix="exact ", count=8)
        assert await page.hints()
        index = lake.root / ".lake/build/lib/lean/Dep.ilean"
        change = types.FileEvent(index.as_uri(), types.FileChangeType.Changed)
        made.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
        assert await page.hints() == []

        status = await made.execute("llmstep.status")
        workers = [each for server in status["lean"] for each in server["processes"] if each["role"] == "worker"]
        assert workers
        assert all(0 < each["privateBytes"] < each["rssBytes"] for each in workers)
        for wrong in ({}, {"textDocument": {}}, 7):
            with pytest.raises(JsonRpcException, match=r"of llmstep\.buildImports is "):
                await made.execute("llmstep.buildImports", wrong)
