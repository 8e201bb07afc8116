"""kustomize itself: the one that is installed, or one of a pinned version that Go builds into the user's cache."""

import shutil
import subprocess
from pathlib import Path

from tests.support.fetched import Recipe, fetched

VERSION = "v5.7.1"
_MODULE = f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"
_RECIPE = Recipe(
    f"kustomize {VERSION}",
    place=f"kustomize/{VERSION}",
    argv=["sh", "-c", 'GOBIN="$PWD" GOTOOLCHAIN=local GOFLAGS="" exec go install "$0"', _MODULE],
    needs=["go"],
    required="FARANDOLE_REQUIRE_KUSTOMIZE",
    limit=900.0,  # seconds for some 200 packages
)
_RUN = 120.0


def build(folder: Path) -> str:
    """What kustomize makes of a folder, as YAML. Skips, loudly, where it is not to be had, unless that is required."""
    program = shutil.which("kustomize") or str(fetched(_RECIPE) / "kustomize")
    done = subprocess.run([program, "build", str(folder)], capture_output=True, text=True, timeout=_RUN, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
