"""`make bench-observe`: what it costs to see; a table and one JSON object; exit 1 where a bar is missed."""

import sys
from importlib.metadata import version

import apsw

from tests.bench.program import Parts, main
from tests.bench_observe import folding, many, telling, visible

PARTS: Parts = {"folding": folding.run, "visible": visible.run, "many": many.run, "telling": telling.run}


def _about() -> dict[str, object]:
    return {
        "sqlite": apsw.sqlite_lib_version(),
        "sqlalchemy": version("sqlalchemy"),
        "eventsourcing": version("eventsourcing"),
    }


if __name__ == "__main__":
    sys.exit(main(__doc__, PARTS, _about))
