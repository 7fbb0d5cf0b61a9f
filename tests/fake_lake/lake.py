"""A `lake` for tests, around the Lean of the tests: it notes how it is called, and does what its control file says.

`lake serve`, `setup-file`, `build`, `exe` and `--version`, with the exit codes and texts of Lake. The file beside it,
`control.json`, may hold:

    lean          the `lean` to start
    say           what `serve` writes to its standard error first
    locks, mute   how many times `serve` cannot get the lock, and serves without the workspace; whether the files tell
    refuse        an option that `serve` does not know, as an older Lean
    options       Lean options of the lakefile
    failure       what `setup-file` fails with

While there is a file `held` beside it, `serve` and builds wait.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.argv[0]).resolve().parent
CONTROL = BIN / "control.json"
HELD = BIN / "held"
LIBRARY = Path(".lake/build/lib/lean")
LOCK = (
    "error: could not acquire an exclusive configuration lock; another process may already be reconfiguring the package"
)


def note(control: dict[str, object]) -> None:
    control_env = {name: value for name, value in os.environ.items() if name != "_"}
    with (BIN / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"words": sys.argv[1:], "env": control_env, "cwd": os.getcwd()}) + "\n")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def wait() -> None:
    while HELD.exists():
        time.sleep(0.01)


def stale(module: str) -> bool:
    source, compiled = Path(module.replace(".", "/") + ".lean"), LIBRARY / (module.replace(".", "/") + ".olean")
    if not source.is_file():
        return False
    return not compiled.is_file() or compiled.stat().st_mtime_ns < source.stat().st_mtime_ns


def build(control: dict[str, object], modules: list[str]) -> int:
    wanted = [module for module in modules if stale(module)]
    for number, module in enumerate(wanted, start=1):
        name = module.replace(".", "/")
        target = LIBRARY / f"{name}.olean"
        target.parent.mkdir(parents=True, exist_ok=True)
        wait()
        target.unlink(missing_ok=True)
        words = [str(control["lean"]), "-R", ".", "-o", str(target), f"{name}.lean"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            say(f"✖ [{number}/{len(wanted)}] Building {module}")
            say(f"error: {done.stdout.strip()}")
            say("error: build failed")
            return 1
        print(f"✔ [{number}/{len(wanted)}] Built {module}", flush=True)
    print("Build completed successfully.", flush=True)
    return 0


def serve(control: dict[str, object]) -> None:
    if control.get("say"):
        say(str(control["say"]))
    wait()
    options = sys.argv[sys.argv.index("--") + 1 :]
    refused = [option for option in options if control.get("refuse") and str(control["refuse"]) in option]
    if refused:
        say(f"invalid -D parameter, unknown configuration option '{control['refuse']!s}'")
        sys.exit(1)
    if int(str(control.get("locks", 0))) > 0:
        left = BIN / "left.json"
        left.write_text(json.dumps({**control, "locks": int(str(control["locks"])) - 1}), encoding="utf-8")
        left.replace(CONTROL)  # whole at every moment
        say(LOCK)
        if control.get("mute"):  # says nothing of it in the files
            os.execv(str(control["lean"]), [str(control["lean"]), "--server", *options])
        os.environ["LAKE_INVALID_CONFIG"] = LOCK
    os.environ["LAKE"] = str(BIN / "lake")
    os.environ["LEAN_PATH"] = str(Path.cwd() / LIBRARY)
    os.execv(str(control["lean"]), [str(control["lean"]), "--server", *options])


def setup(control: dict[str, object]) -> int:
    imports = [each["module"] for each in json.load(sys.stdin)["imports"]]
    if "LAKE_INVALID_CONFIG" in os.environ:
        say(os.environ["LAKE_INVALID_CONFIG"])
        say("Invalid Lake configuration.  Please restart the server after fixing the Lake configuration file.")
        return 1
    if control.get("failure"):
        say(str(control["failure"]))
        return 1
    if any(stale(module) for module in imports):
        if "--no-build" in sys.argv:
            return 3
        sys.stdout, out = sys.stderr, sys.stdout
        failed = build(control, imports)
        sys.stdout = out
        if failed:
            return failed
    answer = {"name": "File", "isModule": False, "importArts": {}, "dynlibs": [], "plugins": []}
    print(json.dumps({**answer, "options": control.get("options", {})}))
    return 0


def main() -> int:
    control = json.loads(CONTROL.read_text(encoding="utf-8"))
    note(control)
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "--version":
        print("Lake version 5.0.0-src (Lean version 4.35.0)")
    elif command == "serve":
        serve(control)
    elif command == "setup-file":
        return setup(control)
    elif command == "build":
        return build(control, sys.argv[2:])
    return 0


sys.exit(main())
