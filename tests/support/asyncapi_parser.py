"""AsyncAPI's own parser, for Node: pinned in `asyncapi/`, installed by npm into a cache under the user's home."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.npm import installed

_HERE = Path(__file__).with_name("asyncapi")
_PROGRAM = "parse.mjs"
_PARSE = 120.0


def parse(documents: Sequence[Path]) -> list[dict[str, Any]]:
    """Of each: whether it is accepted, `problems`, and the version, channels, operations and messages found in it.

    Skips, loudly, where there is no Node or its packages cannot be had, unless that is required.
    """
    argv = ["node", str(installed(_HERE, [_PROGRAM]) / _PROGRAM), *map(str, documents)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_PARSE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
