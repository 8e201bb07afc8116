"""`make up`, `make down`, `make smoke`.

    python -m scripts.compose up    [--profile small|objects|full]
    python -m scripts.compose down  [--wipe]
    python -m scripts.compose smoke [--profile small|objects|full] [--timeout SECONDS] [--keep NAME] [--json]

Exit codes are those of `farandole`: of `smoke` 0 only where everything is well; 1 where something that was looked at
is not; 3 where the workflow ended without being complete; 5 where it took too long; 78 where there is no engine, no
Compose or no image.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from farandole.cli.codes import Code, code_of, first_cause
from farandole.events.errors import FarandoleError
from scripts.compose.errors import NoCompose, NoImage
from scripts.compose.project import NAME, PROFILES, ROOT, Project
from scripts.compose.report import print_report, shape
from scripts.compose.secrets import FOLDER
from scripts.compose.smoke import Smoked, smoke, trial
from scripts.compose.stage import Stage, in_container, prepare
from scripts.containers import Engine, NoBase, NoEngine, docker_engine
from scripts.containers.engine import ORIGINS
from scripts.demo.scene import TYPE, find_scene

_EVENT = Path("var/scene.json")
_START = 300.0  # seconds for all containers to be well
_REFUSED = (NoEngine, NoCompose, NoImage, NoBase)


def main() -> int:
    """Do what is asked; the exit code."""
    options = _options()
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    try:
        # One of our own would end with this, and what was started on it too.
        with docker_engine(ORIGINS if options.command == "smoke" else ("given",)) as engine:
            return int(_COMMANDS[options.command](engine, options, console))
    except KeyboardInterrupt:
        return Code.INTERRUPTED
    except (FarandoleError, TimeoutError, BaseExceptionGroup) as error:
        cause = first_cause(error)
        if not isinstance(cause, FarandoleError | TimeoutError):
            raise
        console.print(f"{options.command}: {cause}", markup=False, style="red")
        return Code.REFUSED if isinstance(cause, _REFUSED) else code_of(cause)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="compose", description="The dance in containers: deploy/compose.yaml.")
    commands = parser.add_subparsers(dest="command", required=True)
    up, down, smoking = (commands.add_parser(name) for name in ("up", "down", "smoke"))
    for each in (up, smoking):
        each.add_argument("--profile", choices=tuple(PROFILES), default="small", help="how much of it")
    down.add_argument("--wipe", action="store_true", help="the volumes too: log, assets, products, tables")
    smoking.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="give up waiting after these")
    smoking.add_argument("--keep", metavar="NAME", help="leave the containers running, as a project of this name")
    parser.set_defaults(json=False)
    smoking.add_argument("--json", action="store_true", help="one line of JSON on stdout; the rest goes to stderr")
    return parser.parse_args()


def _up(engine: Engine, options: argparse.Namespace, console: Console) -> int:
    scene = find_scene()
    stage = prepare(engine, options.profile, scene, console.print)
    stage.project.up()
    console.print(f"{len(stage.project.wait_well(_START))} containers are well")
    _EVENT.parent.mkdir(exist_ok=True)
    _EVENT.write_text(json.dumps(in_container(scene)), encoding="utf-8")
    _announce(stage, console)
    return Code.DONE


def _announce(stage: Stage, console: Console) -> None:
    shown = ["PROMETHEUS", *(["JAEGER", "GRAFANA"] if stage.project.profile == "full" else [])]
    for name in shown:
        console.print(f"{name.capitalize():<11} {stage.page(name)}")
    if "GRAFANA" in shown:
        console.print(f"            as admin, with the password in {FOLDER.relative_to(ROOT)}/grafana")
    console.print(f"the log     {stage.log}")
    console.print("a scene:")
    command = f".venv/bin/farandole publish {TYPE} --data @{_EVENT} --log {stage.log} --wait"
    console.print(f"  {command}", markup=False)


def _down(engine: Engine, options: argparse.Namespace, console: Console) -> int:
    # With the larger profile, for that knows every service.
    Project(engine, "full", NAME).down(wipe=options.wipe)
    console.print("ended" if options.wipe else "ended; what it holds is kept: make down WIPE=1 removes it")
    return Code.DONE


def _smoke(engine: Engine, options: argparse.Namespace, console: Console) -> int:
    scene = find_scene()
    with TemporaryDirectory(prefix="farandole-smoke-") as scratch:
        plain = prepare(engine, options.profile, scene, console.print)
        console.print(f"starting the containers of profile {options.profile}")
        with trial(plain, keep=options.keep or "") as stage:
            smoked = smoke(stage, scene, Path(scratch), timeout=options.timeout, console=console)
    print_report(smoked, console)
    if options.json:
        print(json.dumps(shape(smoked)))
    return _code(smoked)


def _code(smoked: Smoked) -> Code:
    if smoked.state.status != "complete":
        return Code.DEAD
    return Code.DONE if smoked.well else Code.FAULT


_COMMANDS = {"up": _up, "down": _down, "smoke": _smoke}

if __name__ == "__main__":
    sys.exit(main())
