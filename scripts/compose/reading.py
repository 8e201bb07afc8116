"""Asks programs that speak JSON over HTTP, and waits until they have what is wanted."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

_TIMEOUT = 10.0
_LOOK = 1.0


def ask(url: str, **said: str) -> Any:
    """The JSON of an answer. Raises OSError where there is none, ValueError where it is not JSON."""
    with urlopen(f"{url}?{urlencode(said)}" if said else url, timeout=_TIMEOUT) as answer:
        return json.load(answer)


def until_nothing(missing: Callable[[], list[str]], timeout: float) -> list[str]:
    """What is still missing after `timeout` seconds; it returns as soon as nothing is."""
    until = time.monotonic() + timeout
    while True:
        try:
            found = missing()
        except (URLError, OSError, ValueError) as error:
            found = [f"no answer: {error}"]
        if not found or time.monotonic() > until:
            return found
        time.sleep(_LOOK)
