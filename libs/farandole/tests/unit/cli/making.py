"""A project with one service, for commands that only read what is declared."""

import os
import sys
from pathlib import Path

import pytest

SERVICE = """
from farandole import Event, Service


class Made(Event, type="t.made", key="k"):
    k: str


making = Service("making", accepts=[Made])


@making.step
def make(made: Made) -> None:
    pass
"""


def enter(folder: Path, module: str, log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in its folder, with no settings but its own. `module`: a name that no other test imports."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    (folder / f"{module}.py").write_text(SERVICE)
    (folder / "farandole.toml").write_text(f'log = "{log}"\npartitions = 3\n[up]\nservices = ["{module}:making"]\n')
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
