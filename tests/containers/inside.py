"""Run inside a container, by its Python: tells as JSON what it finds there. Standard library only."""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

TOOLS = "pip pip3 gcc cc g++ make ld git curl wget".split()


def main() -> None:
    """Print it."""
    print(
        json.dumps(
            {
                "uid": os.getuid(),
                "python": sys.version.split()[0],
                "writable": [place for place in ("/", "/opt/farandole", "/etc", "/usr", "/tmp") if _is_writable(place)],
                "tools": [tool for tool in TOOLS if shutil.which(tool)],
                "pip": [str(path) for root in ("/usr", "/opt") for path in Path(root).rglob("site-packages/pip")],
                "ensurepip": [str(path) for path in Path("/usr").rglob("ensurepip")],
                "lists": os.listdir("/var/lib/apt/lists") if os.path.isdir("/var/lib/apt/lists") else [],
                "tests": [str(path) for path in Path("/opt/farandole").rglob("tests") if path.is_dir()][:5],
                "uncompiled": _uncompiled(),
                "python_packages": sorted([d.name, d.version] for d in distributions()),
                "debian_packages": _debian_packages(),
            }
        )
    )


def _is_writable(place: str) -> bool:
    try:
        (Path(place) / ".touched").touch()
    except OSError:
        return False
    return True


def _uncompiled() -> list[str]:
    """Of our own packages: each start would compile them again."""
    sources = Path("/opt/farandole/lib").rglob("site-packages/farandole/**/*.py")
    return [str(path) for path in sources if not list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))]


def _debian_packages() -> list[list[str]]:
    form = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
    said = subprocess.run(["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in said.stdout.splitlines()]
    return sorted([name, version] for state, name, version in rows if state.startswith("ii"))


main()
