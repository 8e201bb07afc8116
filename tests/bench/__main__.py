"""`make bench`: every bar beside its figure, as a table and one JSON object; exit 1 where a bar is missed."""

import sys

import apsw
import pydantic

from tests.bench import demo, hop, idle, latency, sequential
from tests.bench.program import Parts, main

PARTS: Parts = {
    "hop": hop.run,
    "latency": latency.run,
    "sequential": sequential.run,
    "demo": demo.run,
    "idle": idle.run,
}


def _about() -> dict[str, object]:
    return {
        "sqlite": apsw.sqlite_lib_version(),
        "pydantic": pydantic.VERSION,
        "fdatasync_ms": round(latency.fdatasync_ms(), 3),
    }


if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS, _about))
