"""What Kubernetes and the operators have against a manifest, by what they ship themselves: schemas, CRDs and classes.

KEDA's and Prometheus' CRDs come as validators that are generated from them (npm), Strimzi's resources as the classes
from which its CRDs are generated (Maven). Both are fetched into a cache under the user's home, and pinned in
`operators/`. What cannot be had skips a test, loudly, unless it is required.
"""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate

from scripts import jars
from tests.support.fetched import missing
from tests.support.npm import installed

Document = dict[str, Any]
_HERE = Path(__file__).with_name("operators")
_PROGRAM = "check.mjs"
_CLASSES = "Strimzi.java"
_STRIMZI = jars.Server("Strimzi", "strimzi", _HERE / "pom.xml", "strimzi.version", "api-*.jar")
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
        java, classes = jars.find_java(), jars.find_jars(_STRIMZI)
    except jars.NoJars as error:
        missing(str(error), "FARANDOLE_REQUIRE_STRIMZI")
    argv = [java, "-XX:TieredStopAtLevel=1", "-cp", f"{classes}/*", str(_HERE / _CLASSES)]
    return _asked(argv, documents)


def _asked(argv: Sequence[str], documents: Sequence[Document]) -> list[list[str]]:
    done = subprocess.run(
        argv, input=json.dumps(documents), capture_output=True, text=True, timeout=_CHECK, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
