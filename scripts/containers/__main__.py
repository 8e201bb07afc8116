"""`make images`: builds the images of the services and says how large they are.

    python -m scripts.containers [--base IMAGE] [--sbom FOLDER] [--json] [SERVICE…]

Exit codes: 0; 1 where a build fails; 78 where there is no engine, or no base to begin with.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from farandole.cli.codes import Code
from scripts.containers.bases import DEFAULT, find_base
from scripts.containers.client import Engine
from scripts.containers.engine import docker_engine
from scripts.containers.errors import EngineFailed, NoBase, NoEngine
from scripts.containers.images import Image, build, sbom, services

_MEGA = 1_000_000


def main() -> int:
    """Build them; the exit code."""
    options = _options()
    try:
        with docker_engine() as engine:
            base = find_base(engine, options.base)
            _say(f"engine {engine.host} ({engine.origin}), base {base.image}")
            images = []
            for service in options.services or services():
                images.append(build(engine, service, base))
                _say(f"built {images[-1].name}")
                _keep(options.sbom / f"{service.replace(' ', '-')}.cdx.json", sbom(engine, images[-1].name))
    except (NoEngine, NoBase, EngineFailed) as error:
        print(f"images: {error}", file=sys.stderr)
        return Code.FAULT if isinstance(error, EngineFailed) else Code.REFUSED
    _report(images, engine, as_json=options.json)
    return Code.DONE


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="images", description="Container images of Farandole's services.")
    parser.add_argument(
        "services", nargs="*", metavar="SERVICE", help="default: every folder of services/, and observe"
    )
    parser.add_argument("--base", default=DEFAULT, metavar="IMAGE", help=f"what they begin with; default {DEFAULT}")
    parser.add_argument(
        "--sbom", type=Path, default=Path("dist/sbom"), metavar="FOLDER", help="where the lists of what is in them go"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON on stdout; the rest goes to stderr")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def _report(images: Sequence[Image], engine: Engine, *, as_json: bool) -> None:
    if as_json:
        built = [{"service": each.service, "image": each.name, "bytes": each.size} for each in images]
        print(json.dumps({"images": built, "engine": engine.origin}))
        return
    width = max(len(image.name) for image in images)
    for image in images:
        print(f"{image.name:{width}}  {image.size / _MEGA:6.0f} MB")
    if engine.origin == "own":
        print("they lie in an engine of our own, which has ended and is started again by what needs them")


if __name__ == "__main__":
    sys.exit(main())
