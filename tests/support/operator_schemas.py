"""What Kubernetes and the operators have against a manifest, by what they ship themselves: schemas, CRDs and classes.

KEDA's and Prometheus' CRDs come as validators that are generated from them (npm), Strimzi's resources as the classes
from which its CRDs are generated (Maven). Both are fetched into a cache under the user's home, and pinned in
`operators/`. What cannot be had skips a test, loudly, unless it is required.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import kubernetes_validate
import pytest

from scripts.kafka.artifacts import find_java
from scripts.kafka.errors import NoKafka
from tests.support.npm import installed

Document = dict[str, Any]
_HERE = Path(__file__).with_name("operators")
_PROGRAM = "check.mjs"
_CLASSES = "Strimzi.java"
_REQUIRED = "FARANDOLE_REQUIRE_STRIMZI"
_FETCH = 600.0  # seconds for some 35 jars, 18 MB
_CHECK = 120.0
_NODE = ("keda.sh/", "monitoring.coreos.com/")
_JAVA = "kafka.strimzi.io/"


def problems(documents: Sequence[Document]) -> list[list[str]]:
    """Of each manifest, what is wrong with it; a field that nobody knows is wrong."""
    found: list[list[str]] = [[] for _ in documents]
    for chosen, judge in ((_NODE, _of_crds), ((_JAVA,), _of_strimzi)):
        places = [n for n, made in enumerate(documents) if made["apiVersion"].startswith(chosen)]
        for place, said in zip(places, judge([documents[n] for n in places]), strict=True):
            found[place] = said
    for place, made in enumerate(documents):
        if not made["apiVersion"].startswith((*_NODE, _JAVA)):
            found[place] = _of_kubernetes(made)
    return found


def _of_kubernetes(made: Document) -> list[str]:
    try:
        kubernetes_validate.validate(made, kubernetes_validate.latest_version(), strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [str(error).partition("\n")[0]]
    return []


def _of_crds(documents: Sequence[Document]) -> list[list[str]]:
    return _asked(["node", str(installed(_HERE, [_PROGRAM]) / _PROGRAM)], documents) if documents else []


def _of_strimzi(documents: Sequence[Document]) -> list[list[str]]:
    if not documents:
        return []
    try:
        java = find_java()
    except NoKafka as error:
        _missing(str(error))
    argv = [java, "-XX:TieredStopAtLevel=1", "-cp", f"{_jars()}/*", str(_HERE / _CLASSES)]
    return _asked(argv, documents)


def _asked(argv: Sequence[str], documents: Sequence[Document]) -> list[list[str]]:
    done = subprocess.run(
        argv, input=json.dumps(documents), capture_output=True, text=True, timeout=_CHECK, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _jars() -> Path:
    """The folder of Strimzi's classes; made on the first call on this machine, by one caller at a time."""
    pom = (_HERE / "pom.xml").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "farandole" / "strimzi"
    folder = cache / hashlib.sha256(pom).hexdigest()[:12]
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():  # another process may have been quicker
                _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    """Under another name first: whoever finds the folder finds all of it."""
    maven = shutil.which("mvn")
    if maven is None:
        _missing("no mvn (Maven), which fetches Strimzi's classes (on Debian: apt-get install maven)")
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        shutil.copy(_HERE / "pom.xml", scratch)
        argv = [maven, "--quiet", "--batch-mode", "dependency:copy-dependencies"]
        try:
            done = subprocess.run(
                [*argv, f"-DoutputDirectory={made}", "-DincludeScope=runtime"],
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_FETCH,
                check=False,
            )
        except subprocess.TimeoutExpired:
            _missing(f"Maven did not fetch Strimzi's classes within {_FETCH:g} s")
        if done.returncode:
            _missing(f"Maven could not fetch Strimzi's classes: {done.stdout.strip()[-500:]}")
        made.rename(folder)


def _missing(said: str) -> NoReturn:
    if os.environ.get(_REQUIRED):
        pytest.fail(f"{said}, and {_REQUIRED} is set")
    pytest.skip(said)
