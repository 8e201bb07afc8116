"""What docs/operating.md has an operator type: blocks of commands by their names, run as they stand there."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.tutorial import Typed, read, shows

DOCUMENT = Path(__file__).parents[2] / "docs" / "operating.md"
PATIENCE = 300.0  # seconds that one command may take on a machine that does much else


def commands(name: str) -> list[Typed]:
    """The commands of a block ```console NAME. There is one of them."""
    found = [step for step in read(DOCUMENT.read_text()) if isinstance(step, Typed) and step.terminal == name]
    assert found, f"{DOCUMENT.name} has no block of commands named {name!r}"
    return found


def do(name: str, folder: Path, env: Mapping[str, str]) -> None:
    """Run a block, command by command, in a folder; each has to end well and to print what the document says."""
    path = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.environ["PATH"])])
    for typed in commands(name):
        done = subprocess.run(
            ["bash", "-c", typed.command],
            cwd=folder,
            env={**os.environ, **env, "PATH": path, "COLUMNS": "240"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"$ {typed.command}\n{done.stdout}"
        assert shows(typed.expected, done.stdout), f"$ {typed.command}\n{done.stdout}"
