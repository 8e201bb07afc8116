"""Log lines: one set-up for structlog and the standard library, and the hooks that tell how attempts went."""

import logging
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TextIO

import structlog
from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger, Processor

from farandole.events.errors import ConfigError
from farandole.events.event import explain
from farandole.log.hooks import Attempt, Commit, Ended, Ending
from farandole.telemetry.redact import Secrets, redacted

Fields = MutableMapping[str, Any]
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ERROR_SHOWN = 500  # characters of an exception's text; the journal and the dead letter hold the rest
_ENDINGS: dict[Ending, tuple[int, str]] = {
    "completed": (logging.DEBUG, "attempt completed"),
    "held": (logging.DEBUG, "attempt held for its group"),
    "retrying": (logging.WARNING, "attempt failed; it is retried"),
    "dead": (logging.ERROR, "attempt failed; its delivery is a dead letter"),
}

_running: ContextVar[Attempt | None] = ContextVar("farandole_attempt", default=None)


def configure_logging(level: str = "INFO", json: bool | None = None, secrets: Secrets | None = None) -> None:
    """Log lines on stderr, for people or as JSON (None: JSON unless stderr is a terminal). May be called again.

    Lines of structlog and of the standard library look alike: UTC time in ISO 8601, level, logger, the text under
    `event`, and inside an attempt its `service`, `step`, `workflow`, `event_id` and `attempt`. What is named like a
    secret is hidden, and so are the values of `secrets`, wherever they stand. Tracebacks show no values. Raises
    ConfigError for an unknown level.
    """
    number = _level(level)
    as_json = not sys.stderr.isatty() if json is None else json
    secrets = secrets or Secrets()
    redact = _redactor(secrets)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_attempt,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        # Redacted before it becomes a LogRecord: other handlers may get that, too.
        processors=[*common, redact, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # else a later call would not reach loggers in use
    )
    handler = _Stderr(secrets)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*common, structlog.stdlib.ExtraAdder(), _without_message, redact],
            processors=_rendering(as_json=as_json),
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if type(old) in (_Stderr, logging.StreamHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)


def add_attempt(_: object, __: str, fields: Fields) -> Fields:
    """A structlog processor: what the attempt is that the code runs in, unless the line says it itself."""
    attempt = _running.get()
    if attempt is not None:
        for name, value in _names(attempt).items():
            fields.setdefault(name, value)
    return fields


class LoggingHooks:
    """Hooks that log; make them after `configure_logging`.

    Failures are warnings (retried) or errors (dead, with the traceback), the rest is debug; payloads never.
    """

    __slots__ = ("_log",)

    def __init__(self) -> None:
        self._log: FilteringBoundLogger = structlog.get_logger("farandole").bind()

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Lines that are logged inside name the attempt."""
        return _Running(attempt)

    def hears(self, ending: Ending) -> bool:
        """Whether lines of its level are logged."""
        return self._log.is_enabled_for(_ENDINGS[ending][0])

    def ended(self, ended: Ended) -> None:
        """One line, at the ending's level."""
        if not self.hears(ended.ending):
            return
        level, text = _ENDINGS[ended.ending]
        event = ended.attempt.event
        fields = _names(ended.attempt) | {
            "type": event and event.type,
            "delivery": ended.attempt.delivery,
            "seconds": round(ended.finished - ended.started, 3),
            "outputs": ended.outputs,
        }
        if ended.error is not None:
            fields["error"] = _error_text(ended.error)
            if ended.ending == "dead" and ended.error.__traceback__ is not None:
                fields["exc_info"] = ended.error
        self._log.log(level, text, **fields)

    def committed(self, commit: Commit) -> None:
        """One line at debug."""
        if self._log.is_enabled_for(logging.DEBUG):
            self._log.debug("committed", step=commit.producer, records=commit.records, seconds=round(commit.seconds, 4))

    def noted(self, event: str, **fields: object) -> None:
        """One line at info."""
        self._log.info(event, **fields)


class _Running:
    """One context variable for all fields: binding an attempt costs less than a microsecond."""

    __slots__ = ("_attempt", "_token")

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._token: Token[Attempt | None] | None = None

    def __enter__(self) -> None:
        self._token = _running.set(self._attempt)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _running.reset(self._token)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr when a line is written, not to what it was when logging was configured."""

    def __init__(self, secrets: Secrets) -> None:
        logging.Handler.__init__(self)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line; objects that were logged have become text only here."""
        return self._secrets.hide(super().format(record))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # an attribute there; this is how logging's own does it
        return sys.stderr


def _names(attempt: Attempt) -> dict[str, object]:
    return {
        "service": attempt.service,
        "step": attempt.step,
        "workflow": attempt.workflow,
        "event_id": attempt.event and attempt.event.id,  # none for a group
        "attempt": attempt.attempt,
    }


def _error_text(error: BaseException) -> str:
    try:
        said = explain(error) if isinstance(error, ValidationError) else str(error)
        text = f"{type(error).__name__}: {said}"
    except Exception as second:  # noqa: BLE001 - a user's __str__ may raise anything; hooks must not
        text = f"{type(error).__name__} (its text raised {type(second).__name__})"
    return text if len(text) <= _ERROR_SHOWN else f"{text[:_ERROR_SHOWN]}…"


def _level(level: str) -> int:
    if level.upper() not in _LEVELS:
        raise ConfigError(f"log level {level[:40]!a} is not known; one of {', '.join(_LEVELS)}")
    return logging.getLevelNamesMapping()[level.upper()]


def _rendering(*, as_json: bool) -> list[Processor]:
    shared: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
    ]
    if as_json:
        return [*shared, structlog.processors.JSONRenderer()]
    # Its own choice of formatter would print the values of local variables.
    plain = structlog.dev.plain_traceback
    return [*shared, _printable, structlog.dev.ConsoleRenderer(exception_formatter=plain)]


def _without_message(_: object, __: str, fields: Fields) -> Fields:
    """The text again, where another handler formatted the record before."""
    fields.pop("message", None)
    return fields


def _redactor(secrets: Secrets) -> Processor:
    def redact(_: object, __: str, fields: Fields) -> Fields:
        return redacted(fields, secrets.hide)

    return redact


def _printable(_: object, __: str, fields: Fields) -> Fields:
    """Nothing that is logged may move the cursor or begin a line of its own; a traceback may have lines."""
    for name, value in fields.items():
        if isinstance(value, str) and not value.isprintable():
            keep = "\n\t" if name in ("exception", "stack") else ""
            fields[name] = "".join(
                c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in value
            )
    return fields
