"""The sign of life that a health check looks at."""

import os
from pathlib import Path

from sla_watcher.beat import NAME, beat


def test_each_beat_makes_the_file_young_again(tmp_path: Path) -> None:
    """In a folder that need not be there yet."""
    folder = tmp_path / "data"
    beat(folder)
    os.utime(folder / NAME, (0, 0))
    beat(folder)
    assert (folder / NAME).stat().st_mtime > 0
