"""The event that is published, and who may be imported for it."""

import ast
import json
from pathlib import Path

import sla_watcher
from farandole.events.codec import decode
from sla_watcher.breach import breach_of
from sla_watcher.ledger import Closed
from sla_watcher.limits import Limit
from sla_watcher.tally import Attempt, Tally

TALLY = Tally().add([Attempt("a/b", True, 4.0), Attempt("a/b", False, 4.0)])
WINDOW = Closed("k", "a/b", 1_800_000_000, TALLY)
LIMIT = Limit(failures=0.1, p95=1.0)


def test_the_event_says_what_happened_and_what_was_allowed() -> None:
    """With the step as its key; farandole's own codec reads it."""
    breach = breach_of(WINDOW, LIMIT, 60)
    assert breach is not None
    envelope = decode(breach.key, breach.value, tuple(breach.headers))
    assert (envelope.type, envelope.version, envelope.source) == ("sla.breached", 1, "/sla-watcher")
    assert (envelope.key, envelope.time) == ("a/b", "2027-01-15T08:01:00Z")
    data = json.loads(breach.value)
    assert 3.96 <= data.pop("p95_seconds") <= 4.04
    assert data == {
        "step": "a/b",
        "window_start": "2027-01-15T08:00:00Z",
        "window_seconds": 60,
        "count": 2,
        "failures": 1,
        "broken": ["failures", "p95"],
        "max_failures": 0.1,
        "max_p95_seconds": 1.0,
    }


def test_the_same_window_gives_the_same_bytes_and_another_another_id() -> None:
    """A repetition is the same event; other steps, windows, sizes and limits are others."""
    assert breach_of(WINDOW, LIMIT, 60) == breach_of(WINDOW._replace(key="elsewhere"), LIMIT, 60)
    others = [
        breach_of(WINDOW, LIMIT, 60),
        breach_of(WINDOW._replace(step="a/c"), LIMIT, 60),
        breach_of(WINDOW._replace(start=1_800_000_060), LIMIT, 60),
        breach_of(WINDOW, LIMIT, 30),
        breach_of(WINDOW, Limit(failures=0.2, p95=1.0), 60),
    ]
    assert len({dict(breach.headers)["ce_id"] for breach in others if breach}) == len(others)


def test_a_window_in_order_is_no_event() -> None:
    """Silence means that all is well, or that nobody watches."""
    assert breach_of(WINDOW, Limit(failures=0.5, p95=5.0), 60) is None


def test_nothing_of_farandole_is_imported() -> None:
    """It knows the wire only, as a program of anybody else would."""
    for path in Path(sla_watcher.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "farandole"], path.name
