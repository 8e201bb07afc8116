"""Finds Java, and the jars of a server in a cache under the user's home; Maven fills it once. Starts nothing."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from farandole.events.errors import FarandoleError

OLDEST_JAVA = 17
MAVEN_TIMEOUT = 900.0  # seconds for some 50 jars, 100 MB with what Maven itself needs


class NoJars(FarandoleError):
    """No Java, no Maven, or Maven did not fetch what is needed; the text says which."""


class Server(NamedTuple):
    """What is wanted: `title` for people, `name` of its folder in the cache, the `pom` that pins it.

    `version`: the property of the pom that does. `jar`: a pattern of the jar without which all others are of no use.
    """

    title: str
    name: str
    pom: Path
    version: str
    jar: str


def pinned(server: Server) -> str:
    """The version in the pom."""
    version = ElementTree.parse(server.pom).findtext(f"{{*}}properties/{{*}}{server.version}")
    if version is None:
        raise ValueError(f"{server.pom} has no property {server.version}")
    return version


def find_java() -> str:
    """The path of `java`, 17 or newer: of JAVA_HOME, else of PATH. Raises NoJars."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise NoJars("no java" + (f" in JAVA_HOME={home}" if home else ""))
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise NoJars(f"Java {OLDEST_JAVA} or newer is needed; {java} says {said.strip().splitlines()[:1]}")
    return java


def find_jars(server: Server) -> Path:
    """The folder of its jars; made on the first call on this machine, by one caller at a time.

    Raises NoJars when it has to be made and Maven is not there or fails.
    """
    folder = _cache(server) / pinned(server) / hashlib.sha256(server.pom.read_bytes()).hexdigest()[:8]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.is_dir():  # another process may have been quicker
                _make(server, folder)
    return folder


def _cache(server: Server) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / server.name


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(server: Server, folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    for left in folder.parent.glob(".making-*"):  # by one that was killed, for we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        _copy_jars(server, scratch)
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy_jars(server: Server, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoJars(f"no mvn (Maven), which fetches {server.title}'s jars")
    # Maven may write beside its project's file, so it works on a copy.
    command = [
        maven,
        "--quiet",
        "--batch-mode",
        "--file",
        str(shutil.copy(server.pom, folder)),
        "dependency:copy-dependencies",
    ]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={folder}", "-DincludeScope=runtime"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MAVEN_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoJars(f"Maven did not fetch {server.title}'s jars within {MAVEN_TIMEOUT:.0f} s") from None
    if done.returncode or not any(folder.glob(server.jar)):
        said = done.stdout[-1500:].strip()
        raise NoJars(f"Maven did not fetch {server.title}'s jars (exit code {done.returncode}):\n{said}")
