"""Scratch folders end with their attempt, or with the next process that looks."""

import signal
import subprocess
import sys
from pathlib import Path

from farandole.runtime.scratch import new_folder, sweep

_KILLED = """
import os, signal, sys
from pathlib import Path
from farandole.runtime.scratch import new_folder
folder = new_folder(Path(sys.argv[1]))
(Path(folder.name) / "half").write_bytes(b"x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_what_lives_stays(tmp_path: Path) -> None:
    """Whatever else stands beside it stays too."""
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    other = tmp_path / "farandole-scratch-other"
    other.mkdir()
    with new_folder(tmp_path) as alive:
        assert sweep(tmp_path) == [left]
        assert {p.name for p in tmp_path.iterdir()} == {Path(alive).name, other.name}
    assert sweep(tmp_path) == []
