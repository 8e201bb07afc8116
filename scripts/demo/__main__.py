"""`make demo`: starts the ten services, tells them of a scene, shows what happens, and checks what came of it.

    python -m scripts.demo [--log URL] [--assets URL] [--folder FOLDER] [--timeout SECONDS] [--json]

Exit codes are those of `farandole`: 0 only where the workflow is complete and its product valid; 3 where nothing
can move any more before that.
"""

import argparse
import asyncio
import importlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from farandole.cli.codes import Code, code_of, first_cause
from farandole.config import Loaded, load
from farandole.events.errors import FarandoleError, LogUnavailable
from scripts.demo.performance import Performance, Stage, perform
from scripts.demo.report import print_left, print_report, shape
from scripts.demo.scene import Scene, find_scene

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "demo"
KAFKA = "kafka"


def main() -> int:
    """Run the demonstration; its exit code."""
    options = _options()
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    try:
        with _kafka(console) if options.log == KAFKA else nullcontext(options.log) as log:
            scene = find_scene()
            loaded = _settings(options, log)
            _announce(console, scene, loaded)
            return _ended(_run(scene, loaded, options, console), loaded, console, as_json=options.json)
    except KeyboardInterrupt:
        console.print("stopped; what was not finished goes on with the next make demo")
        return Code.INTERRUPTED
    except (FarandoleError, TimeoutError, BaseExceptionGroup) as error:
        cause = first_cause(error)
        if not isinstance(cause, FarandoleError | TimeoutError):
            raise
        console.print(f"demo: {cause}", markup=False, style="red")
        return code_of(cause)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="A real scene becomes a catalogued product.")
    parser.add_argument(
        "--log", metavar="URL", help="another event log than FOLDER/log.db; kafka: one is found or started"
    )
    parser.add_argument(
        "--assets", metavar="URL", help="another asset store than FOLDER/assets, such as s3://bucket/demo"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where log, assets and products go")
    parser.add_argument("--timeout", type=float, default=900.0, metavar="SECONDS", help="give up waiting after these")
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout; the rest goes to stderr")
    return parser.parse_args()


@contextmanager
def _kafka(console: Console) -> Iterator[str]:
    """The URL of a log on a Kafka that is given (FARANDOLE_TEST_KAFKA) or runs until the block ends."""
    kafka = importlib.import_module("scripts.kafka")  # brings tools that no other demonstration needs
    try:
        with kafka.kafka_cluster() as cluster:
            if cluster.origin != "given":
                console.print("started an Apache Kafka, which ends with this; make kafka gives one that stays")
            yield f"kafka://{cluster.bootstrap}/demo"
    except (kafka.NoKafka, kafka.KafkaFailed) as error:
        raise LogUnavailable(str(error)) from error


def _settings(options: argparse.Namespace, log: str | None) -> Loaded:
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    flags = {"log": log or f"sqlite:///{folder / 'log.db'}", "assets": options.assets or folder / "assets"}
    return load(flags, file=ROOT / "farandole.toml")


def _announce(console: Console, scene: Scene, loaded: Loaded) -> None:
    count = len(loaded.config.up.services)
    console.print(f"scene {scene.scene_id}: {len(scene.data['bands'])} bands of Sentinel-2, west of Berlin")
    console.print(f"starting {count} services in {count} processes; no coordinator")


def _run(scene: Scene, loaded: Loaded, options: argparse.Namespace, console: Console) -> Performance:
    folder = options.folder.absolute()
    # What an attempt that was killed leaves in its scratch folder goes with the folder of this run.
    with TemporaryDirectory(prefix=".scratch-", dir=folder) as scratch:
        stage = Stage(products=folder / "products", scratch=loaded.config.scratch or Path(scratch))
        return asyncio.run(perform(scene, loaded, stage, timeout=options.timeout, console=console))


def _ended(performance: Performance, loaded: Loaded, console: Console, *, as_json: bool) -> int:
    complete = performance.state.status == "complete"
    farandole = _command(loaded)
    if complete:
        print_report(performance, console, farandole)
    else:
        print_left(performance, console, farandole)
    if as_json:
        print(json.dumps(shape(performance)))
    if not complete:
        return Code.DEAD
    return Code.FAULT if performance.problems else Code.DONE


def _command(loaded: Loaded) -> tuple[str, str]:
    """How `farandole` is called from here, and with which options after its command."""
    beside = Path(sys.executable).with_name("farandole")
    program = os.path.relpath(beside) if beside.is_file() else "farandole"
    plain = load(cwd=Path.cwd())
    return program, "" if plain.config.log == loaded.config.log else f" --log {loaded.config.log}"


if __name__ == "__main__":
    sys.exit(main())
