"""Writes what is in an image as CycloneDX JSON: `sbom.py FOLDER`. Runs in the stage that builds, on its tools' Python.

The Python distributions are those of the environment, the Debian packages those of the image that it begins with.
"""

import json
import platform
import sys
from collections.abc import Iterator
from email import message_from_string
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

NAME = "farandole.cdx.json"
HOME = Path("/opt/farandole")
STATUS = Path("/build/dpkg-status")  # of the image that the last stage begins with, not of this one
_LONGEST = 100  # characters; a longer licence is a text, not a name


def main(folder: Path) -> None:
    """Write it into this folder; the same for the same components, so that it makes no layer new."""
    found = [*python_components(), *debian_components(STATUS.read_text(encoding="utf-8"))]
    shape: dict[str, Any] = json.loads(JsonV1Dot6(Bom(components=found)).output_as_string())
    shape["metadata"].pop("timestamp")
    shape["serialNumber"] = uuid5(NAMESPACE_URL, json.dumps(shape["components"])).urn
    folder.mkdir(parents=True)
    (folder / NAME).write_text(json.dumps(shape, indent=1) + "\n", encoding="utf-8")


def python_components() -> Iterator[Component]:
    """The interpreter and each distribution of the environment, with the licence that it declares."""
    version = platform.python_version()
    url = PackageURL("generic", name="python", version=version)
    yield Component(type=ComponentType.PLATFORM, name="python", version=version, purl=url, bom_ref=str(url))
    for found in distributions(path=[str(place) for place in HOME.glob("lib/python3*/site-packages")]):
        url = PackageURL("pypi", name=found.name.lower().replace("_", "-"), version=found.version)
        licence = _licence(found)
        yield Component(
            type=ComponentType.LIBRARY,
            name=found.name,
            version=found.version,
            purl=url,
            bom_ref=str(url),
            licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
        )


def _licence(found: Distribution) -> str:
    """What it declares, as far as that is a name; empty where it is not."""
    named = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    return named if len(named) <= _LONGEST and "\n" not in named else ""


def debian_components(status: str) -> Iterator[Component]:
    """Each installed package of a dpkg database."""
    for paragraph in status.split("\n\n"):
        about = message_from_string(paragraph)
        if about["Status"] != "install ok installed":
            continue
        url = PackageURL(
            "deb",
            namespace="debian",
            name=about["Package"],
            version=about["Version"],
            qualifiers={"arch": about["Architecture"]},
        )
        yield Component(
            type=ComponentType.LIBRARY,
            name=about["Package"],
            version=about["Version"],
            purl=url,
            bom_ref=str(url),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
