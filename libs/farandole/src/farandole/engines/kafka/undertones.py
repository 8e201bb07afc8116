"""What the clients say of themselves on log lines: librdkafka at debug, aiokafka as a warning once in a while.

That a broker is away for a moment, or a producer fenced, is what this engine is made for. The clients call it an error,
or fatal, at every try; what matters of it comes out of their calls as well, and is told under our own names.
"""

import logging
import time
from collections.abc import Callable

EACH = 60.0
"""Seconds in which one kind of line is told once."""
_NAMES = ("aiokafka", "aiokafka.cluster", "aiokafka.conn", "aiokafka.consumer.fetcher")
"""Loggers that speak of brokers; a filter hears only its own logger, not those below."""
_told = logging.getLogger(__name__)


class Undertone:
    """In a logger's place for confluent-kafka, which would write to stderr."""

    def log(self, level: int, text: str, *words: object) -> None:
        """One line at debug, whatever its level."""
        _told.debug(text, *words)


class Seldom(logging.Filter):
    """Lets one line of a kind through in `EACH` seconds, no louder than a warning; what is for debugging, always."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        if record.levelno <= logging.DEBUG:
            return True
        kind, now = (record.name, str(record.msg)), self._clock()
        if now < self._next.get(kind, now):
            return False
        self._next[kind] = now + EACH
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


_seldom = Seldom()


def hush() -> None:
    """Have aiokafka's lines told seldom, from now on."""
    for name in _NAMES:
        logging.getLogger(name).addFilter(_seldom)  # once, however often it is added
