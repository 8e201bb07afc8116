"""A base with this machine's certificates and pip settings, for the stage that builds: nothing of it gets further."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.containers.client import Engine

# Which of pip's settings say where packages come from; its other ones are of no concern to who builds elsewhere.
_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
_PLACE = "/usr/local/share/farandole"
_CERTIFICATES = f"{_PLACE}/certificates.pem"


def builder_image(engine: Engine, image: str) -> str:
    """The name of `image` with what this machine's pip needs to reach a package index; itself, where that is nothing.

    It is a local image: its settings may hold a login, so it belongs in no registry.
    """
    settings = pip_settings()
    certificates = settings.pop("cert", "")
    if not settings and not certificates:
        return image
    with tempfile.TemporaryDirectory(prefix="farandole-builder-") as scratch:
        folder = Path(scratch)
        _write(folder, image, settings, certificates)
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()))).hexdigest()[:12]
        name = f"farandole-builder:{digest}"
        if not engine.has_image(name):
            engine.docker("build", "--quiet", "--tag", name, str(folder))
    return name


def pip_settings() -> dict[str, str]:
    """What this machine's pip is configured with, by files or environment, as far as it says where packages are."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found: dict[str, str] = {}
    for line in listed.splitlines():
        # global.cert='/etc/…'; what the environment says, :env:.cert, comes last and wins.
        name, _, value = line.partition("=")
        setting = name.rpartition(".")[2]
        if setting in (*_SETTINGS, "cert"):
            found[setting] = str(ast.literal_eval(value))
    if "cert" not in found and os.environ.get("SSL_CERT_FILE"):
        found["cert"] = os.environ["SSL_CERT_FILE"]
    return found


def _write(folder: Path, image: str, settings: dict[str, str], certificates: str) -> None:
    lines = [f"FROM {image}", "USER root"]
    if certificates:
        shutil.copyfile(certificates, folder / "certificates.pem")
        settings = settings | {"cert": _CERTIFICATES}
        lines += [f"COPY certificates.pem {_CERTIFICATES}", f"ENV SSL_CERT_FILE={_CERTIFICATES}"]
    values = "".join(f"{name} = {' '.join(value.split())}\n" for name, value in sorted(settings.items()))
    (folder / "pip.conf").write_text(f"[global]\n{values}", encoding="utf-8")
    lines.append("COPY pip.conf /etc/pip.conf")
    (folder / "Dockerfile").write_text("\n".join([*lines, ""]), encoding="utf-8")
