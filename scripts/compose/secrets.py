"""The passwords of a project: drawn once, kept in a folder of their owner, never in a file that is committed."""

import os
import secrets
from pathlib import Path

from scripts.compose.project import ROOT

FOLDER = ROOT / "var" / "secrets"
NAMES = ("tables", "reader", "objects", "grafana")
_BYTES = 24


def make_secrets() -> Path:
    """The folder (that SECRETS names, as in compose.yaml), with a file for each password that was missing.

    Nobody else can enter the folder; the files in it are readable by all, for the user in a container that one is
    mounted into is another than ours.
    """
    folder = Path(os.environ.get("SECRETS") or FOLDER).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in NAMES:
        path = folder / name
        if not path.exists():
            path.write_text(secrets.token_urlsafe(_BYTES), encoding="utf-8")
            path.chmod(0o444)
    return folder
