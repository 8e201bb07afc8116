"""Images that tests share: built when one is first asked for, under names of this run, and gone after it."""

import uuid
from collections.abc import Mapping
from typing import Literal

from scripts.containers import Base, Engine
from scripts.containers.images import Image, build

Python = Literal["3.13", "3.11"]


class Built:
    """The images of this checkout, on a base a Python."""

    def __init__(self, engine: Engine, bases: Mapping[Python, Base]) -> None:
        self._engine, self._bases = engine, bases
        self._run = uuid.uuid4().hex[:8]
        self._images: dict[tuple[str, Python], Image] = {}

    def image(self, service: str, python: Python = "3.13") -> Image:
        """Built on the first call."""
        found = self._images.get((service, python))
        if found is None:
            name = f"farandole-test/{service}:{self._run}-{python}"
            found = self._images[service, python] = build(self._engine, service, self._bases[python], name=name)
        return found

    def all(self) -> list[Image]:
        """Those of Python 3.13 that were built."""
        return [image for (_, python), image in self._images.items() if python == "3.13"]

    def remove(self) -> None:
        """The names, and what no cache holds."""
        for image in self._images.values():
            self._engine.docker("image", "rm", "--force", image.name)
