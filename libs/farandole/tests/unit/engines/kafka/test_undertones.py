"""The clients' own words neither flood the log lines nor cry wolf."""

import logging

import pytest

from farandole.engines.kafka.undertones import EACH, Seldom, Undertone, hush


class Clock:
    """Set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At its beginning."""
    return Clock()


@pytest.fixture
def logger(clock: Clock) -> logging.Logger:
    """One with the filter."""
    logger = logging.Logger("aiokafka.test", logging.DEBUG)  # noqa: LOG001 - its own, not the process's
    logger.addFilter(Seldom(clock))
    return logger


class Kept(logging.Handler):
    """Keeps what comes through."""

    def __init__(self, found: list[logging.LogRecord]) -> None:
        super().__init__()
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._found.append(record)


def told(logger: logging.Logger) -> list[logging.LogRecord]:
    """What comes through from now on."""
    found: list[logging.LogRecord] = []
    logger.addHandler(Kept(found))
    return found


def test_a_kind_is_told_once_in_a_while_as_a_warning(logger: logging.Logger, clock: Clock) -> None:
    """The kind is the text without what is filled in; after a while it is told again."""
    found = told(logger)
    for node in range(50):
        logger.error("Unable to connect to node %s", node)
    logger.error("Failed fetch from %s", 1)
    clock.now += EACH
    logger.error("Unable to connect to node %s", 99)
    said = [(record.getMessage(), record.levelno, record.levelname) for record in found]
    warning = (logging.WARNING, "WARNING")
    assert said == [
        ("Unable to connect to node 0", *warning),
        ("Failed fetch from 1", *warning),
        ("Unable to connect to node 99", *warning),
    ]


def test_lower_lines_keep_their_level_and_debugging_is_never_held_back(logger: logging.Logger) -> None:
    """Who asked for debug lines wants them all."""
    found = told(logger)
    for _ in range(3):
        logger.info("joined")
        logger.debug("sent")
    assert [record.levelname for record in found] == ["INFO", "DEBUG", "DEBUG", "DEBUG"]


def test_librdkafka_speaks_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Fatal as it may call it: a fenced producer is one."""
    with caplog.at_level(logging.DEBUG, "farandole"):
        Undertone().log(logging.CRITICAL, "%s [%s] %s", "FATAL", "producer-1", "fenced")
    (record,) = caplog.records
    assert (record.getMessage(), record.levelno) == ("FATAL [producer-1] fenced", logging.DEBUG)


def test_hushing_again_adds_nothing() -> None:
    """A client is made often."""
    hush()
    before = list(logging.getLogger("aiokafka").filters)
    hush()
    assert logging.getLogger("aiokafka").filters == before
