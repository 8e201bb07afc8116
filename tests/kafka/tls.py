"""Certificates for brokers and clients of our own, made by openssl: good for two days, a broker's for 127.0.0.1."""

import subprocess
from pathlib import Path
from typing import NamedTuple


class Pair(NamedTuple):
    """A client's certificate and its key."""

    cert: Path
    key: Path


class Papers(NamedTuple):
    """`ca`: what clients have to believe; `stranger`: a CA that signed nothing of a broker's; `server`: a PEM file.

    `client`: whom the CA signed; `unknown`: whom the stranger did. `leaf`: what `server` holds, in two files.
    """

    ca: Path
    stranger: Path
    server: Path
    client: Pair
    unknown: Pair
    leaf: Pair


def make_papers(folder: Path) -> Papers:
    """Raises CalledProcessError where openssl fails."""
    for name in ("ca", "stranger"):
        openssl(
            folder, f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    leaf = _signed(folder, "server", "ca", "-extfile names")
    server = folder / "server.pem"
    server.write_text(leaf.key.read_text() + leaf.cert.read_text())
    client, unknown = _signed(folder, "client", "ca"), _signed(folder, "unknown", "stranger")
    return Papers(folder / "ca.pem", folder / "stranger.pem", server, client, unknown, leaf)


def _signed(folder: Path, name: str, by: str, more: str = "") -> Pair:
    openssl(folder, f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr")
    openssl(
        folder,
        f"x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 2 {more} -out {name}.crt",
    )
    return Pair(folder / f"{name}.crt", folder / f"{name}.key")


def openssl(folder: Path, words: str, given: bytes | None = None) -> bytes:
    """What it prints. Raises CalledProcessError."""
    done = subprocess.run(["openssl", *words.split()], cwd=folder, input=given, check=True, capture_output=True)
    return done.stdout


def encrypted(pair: Pair, password: str) -> Pair:
    """The same, with a key that the password opens."""
    key = pair.key.with_suffix(".locked")
    openssl(pair.key.parent, f"pkcs8 -topk8 -in {pair.key} -out {key} -passout pass:{password}")
    return Pair(pair.cert, key)
