"""What a release adds to the Python package: addresses, and a README whose links lead to the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = "https://github.com/somebody/llmstep"


def metadata(**environment: str) -> dict[str, object]:
    """What the build writes into the package."""
    kept = {name: value for name, value in os.environ.items() if name not in {"REPOSITORY", "REF"}}
    run = [sys.executable, "-m", "hatchling", "metadata"]
    done = subprocess.run(run, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_release_leads_to_the_repository() -> None:
    found = metadata(REPOSITORY=PLACE, REF="v1.2.3")
    assert found["urls"]["Issues"] == PLACE + "/issues"  # type: ignore[index]
    readme = str(found["readme"])
    targets = [a or b for a, b in re.findall(r'\]\(([^)]+)\)|(?:src|srcset)="([^"]+)"', readme)]
    assert len(targets) > 20
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert f"]({PLACE}/raw/v1.2.3/docs/images/vscode-steps.gif)" in readme
    assert f'srcset="{PLACE}/raw/v1.2.3/docs/images/vscode-panel-dark.png"' in readme
    assert f"]({PLACE}/blob/v1.2.3/docs/start.md)" in readme


def test_wheel_and_sdist_are_fit_for_pypi(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, env={**os.environ, "REPOSITORY": PLACE}, capture_output=True, check=True)
    wheel, sdist = sorted(tmp_path.iterdir())
    assert (wheel.suffixes[-1], sdist.suffixes[-2:]) == (".whl", [".tar", ".gz"])
    check = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(sdist) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames()]
    assert {"hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md", "lsp_server/llmstep/app.py"} <= set(names)


def test_a_clone_says_nothing_that_it_does_not_know() -> None:
    found = metadata()
    assert "urls" not in found
    assert "](docs/start.md)" in str(found["readme"])
