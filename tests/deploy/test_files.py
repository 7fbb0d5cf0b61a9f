"""The files of `deploy/`: they parse, the programs that read them take them, and what they name is there."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.proxies import PROGRAMS, ROOT, caddy_files, nginx_files, there
from benchmarks.stand_in import StandIn
from llmstep.cli import app as command_line
from llmstep.http.app import create_app
from llmstep.http.server import serve
from llmstep.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEPLOY = ROOT / "deploy"


def known_options(words: Sequence[str]) -> None:
    """Parse the words behind `llmstep serve`, as it does itself."""
    command: Any = typer.main.get_command(command_line)
    serve_command = command.get_command(None, "serve")
    with serve_command.make_context("serve", list(words), resilient_parsing=False):
        pass


def unit() -> str:
    return (DEPLOY / "systemd/llmstep@.service").read_text()


def test_the_unit_starts_llmstep_with_options_that_it_knows() -> None:
    [words] = re.findall(r"^ExecStart=\S+/llmstep serve (.*)$", unit(), re.MULTILINE)
    known_options(words.replace("%i", "6001").replace("%d", "/run/credentials").split())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    file = tmp_path / "llmstep@.service"
    file.write_text(unit().replace("/opt/llmstep/bin/llmstep", shutil.which("true") or ""))
    verified = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
    rating = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(file)]  # 2.0 of 10
    rated = subprocess.run(rating, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-400:]


def test_compose_starts_llmstep_with_options_that_it_knows() -> None:
    services = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())["services"]
    for name in ("llmstep-1", "llmstep-2"):
        first, *words = services[name]["command"]
        assert first == "serve"
        known_options([re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in words])
        context = (DEPLOY / "compose" / services[name]["build"]["context"]).resolve()
        dockerfile = (context / services[name]["build"]["dockerfile"]).read_text()
        for copied in re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE):
            assert all((context / each).exists() for each in copied.split())
        compile(services[name]["healthcheck"]["test"][-1], "healthcheck", "exec")
    mounted = services["caddy"]["volumes"][0].partition(":")[0]
    assert (DEPLOY / "compose" / mounted).is_file()


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="there is no docker-compose")
def test_compose_itself_takes_the_file() -> None:
    given = {**os.environ, "LLMSTEP_TOKEN": "0123456789abcdef", "LLMSTEP_SITE": "lean.example.org"}
    words = ["docker-compose", "-f", str(DEPLOY / "compose/compose.yaml"), "config", "-q"]
    assert subprocess.run(words, env=given, capture_output=True, check=False).returncode == 0
    without = {name: value for name, value in given.items() if name != "LLMSTEP_TOKEN"}
    refused = subprocess.run(words, env=without, capture_output=True, text=True, check=False)
    assert "a token of 16 characters or more" in refused.stderr


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_the_proxies_take_their_files(kind: str, tmp_path: Path) -> None:
    if not there(kind):
        pytest.skip(f"{kind} is not installed")
    files = nginx_files if kind == "nginx" else caddy_files
    program, *_ = files(tmp_path, 8443, ("127.0.0.1:7001", "127.0.0.1:7002"))
    path = shutil.which(program, path=PROGRAMS) or program
    words = {
        "nginx": [path, "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")],
        "caddy": [path, "validate", "--config", str(DEPLOY / "caddy/Caddyfile"), "--adapter", "caddyfile"],
    }[kind]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["llmstep.yaml", "vllm.yaml"])
def test_the_files_for_ray_say_what_is_there(name: str) -> None:
    [application] = yaml.safe_load((DEPLOY / "ray" / name).read_text())["applications"]
    module, _, function = application["import_path"].partition(":")
    if name == "vllm.yaml":
        assert application["import_path"] == "ray.serve.llm:build_openai_app"
        return
    tree = ast.parse((DEPLOY / f"ray/{module}.py").read_text())
    classes = {each.name for each in tree.body if isinstance(each, ast.ClassDef)}
    assert function in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
    assert {each["name"] for each in application["deployments"]} == classes
    Settings.decode(application["args"]["settings"])


def queries(value: Any) -> Iterator[str]:
    """The queries of a dashboard."""
    if isinstance(value, dict):
        yield from (value[name] for name in ("expr", "query") if isinstance(value.get(name), str))
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from queries(each)


async def test_the_dashboard_asks_for_what_a_server_tells() -> None:
    import httpx

    asked = list(queries(json.loads((DEPLOY / "grafana/llmstep.json").read_text())))
    names = {name for query in asked for name in re.findall(r"\bllmstep_\w+", query)}
    settings = Settings()
    server = await serve(create_app(StandIn(settings, 0.01), settings), "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as http:
            await http.post("/", json={"tactic_state": "⊢ True"})
            page = (await http.get("/metrics")).text
    finally:
        await server.stop()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    told = {sample.name: set(sample.labels) for sample in samples}
    assert len(names) >= 12
    assert names <= told.keys()
    for query in asked:
        grouped = {label for labels in re.findall(r"by \(([^)]*)\)", query) for label in labels.split(", ")}
        chosen = set(re.findall(r"(\w+)=\"", query))
        for name in re.findall(r"\bllmstep_\w+", query):
            assert grouped | chosen <= told[name] | {"job", "instance"}, query


@pytest.mark.skipif(not there("promtool"), reason="there is no promtool")
def test_prometheus_reads_the_queries_and_its_file(tmp_path: Path) -> None:
    asked = queries(json.loads((DEPLOY / "grafana/llmstep.json").read_text()))
    rules = [
        {"record": f"a{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(asked)
        if "llmstep_" in query and "label_values" not in query
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    for words in (
        ["check", "rules", str(tmp_path / "rules.yml")],
        ["check", "config", "--syntax-only", str(DEPLOY / "prometheus/prometheus.yml")],
    ):
        done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
