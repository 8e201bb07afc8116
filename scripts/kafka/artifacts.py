"""Finds Java, and Kafka's own jars in a cache under the user's home; Maven fills it once. Starts no broker."""

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
from xml.etree import ElementTree

from scripts.kafka.errors import NoKafka

POM = Path(__file__).with_name("pom.xml")
OLDEST_JAVA = 17
MAVEN_TIMEOUT = 900.0  # seconds for some 50 jars, 100 MB with what Maven itself needs
_VERSION = "{*}properties/{*}kafka.version"


def kafka_version() -> str:
    """The version that `pom.xml` pins, which is the image's tag too."""
    version = ElementTree.parse(POM).findtext(_VERSION)
    if version is None:
        raise ValueError(f"{POM.name} has no property kafka.version")
    return version


def find_java() -> str:
    """The path of `java`, 17 or newer: of JAVA_HOME, else of PATH. Raises NoKafka."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise NoKafka("no java" + (f" in JAVA_HOME={home}" if home else ""))
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise NoKafka(f"Java {OLDEST_JAVA} or newer is needed; {java} says {said.strip().splitlines()[:1]}")
    return java


def find_jars() -> Path:
    """The folder of the broker's jars; made on the first call on this machine, by one caller at a time.

    Raises NoKafka when it has to be made and Maven is not there or fails.
    """
    folder = _cache() / kafka_version() / hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder.with_suffix(".lock")):
            if not folder.is_dir():  # another process may have been quicker
                _make(folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / "kafka"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    for left in folder.parent.glob(".making-*"):  # by one that was killed, for we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        _copy_jars(scratch)
        scratch.chmod(0o755)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy_jars(folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("no mvn (Maven), which fetches Kafka's jars")
    # Maven may write beside its project's file, so it works on a copy.
    command = [
        maven,
        "--quiet",
        "--batch-mode",
        "--file",
        str(shutil.copy(POM, folder)),
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
        raise NoKafka(f"Maven did not fetch Kafka's jars within {MAVEN_TIMEOUT:.0f} s") from None
    if done.returncode or not any(folder.glob("kafka_*.jar")):
        raise NoKafka(f"Maven did not fetch Kafka's jars (exit code {done.returncode}):\n{done.stdout[-1500:].strip()}")
