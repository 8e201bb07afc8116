"""Certificates for brokers of our own, made by openssl; good for two days, and for 127.0.0.1 only."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Papers(NamedTuple):
    """`ca`: what clients have to believe; `stranger`: a CA that signed nothing here; `server`: a broker's PEM file."""

    ca: Path
    stranger: Path
    server: Path


def make_papers(folder: Path) -> Papers:
    """Raises CalledProcessError where openssl fails."""
    for name in ("ca", "stranger"):
        _openssl(
            folder, f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        )
    _openssl(folder, "req -newkey rsa:2048 -nodes -subj /CN=broker -keyout server.key -out server.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    )
    server = folder / "server.pem"
    server.write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return Papers(folder / "ca.pem", folder / "stranger.pem", server)


def _openssl(folder: Path, words: str) -> None:
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
