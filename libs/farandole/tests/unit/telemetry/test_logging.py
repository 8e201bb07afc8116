"""Log lines: alike from everywhere, with the attempt they belong to, without secrets, and free when unwanted."""

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from farandole.events.envelope import Envelope
from farandole.events.errors import ConfigError
from farandole.log.hooks import Attempt, Commit, Ended, Ending, Hooks
from farandole.telemetry.logging import LoggingHooks, configure_logging

ATTEMPT = Attempt(
    service="tiling",
    step="extract",
    delivery="d" * 32,
    workflow="w1",
    event=Envelope("e1", "stacking/stack", "scene.stacked", 1, b'{"payload": "canary"}', key="S2A"),
    attempt=2,
    worker="host:1",
)
NAMES = {"service": "tiling", "step": "extract", "workflow": "w1", "event_id": "e1", "attempt": 2}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Logging is the process's: give it back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The JSON lines on stderr since the last look."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def ended(ending: Ending, error: BaseException | None = None) -> Ended:
    return Ended(ATTEMPT, ending, started=100.0, finished=101.5, outputs=3, error=error)


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_structlog_and_the_standard_library_look_alike(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """One JSON object a line, with UTC time, level, logger, text and fields; arguments are in the text."""
    configure_logging("INFO", json=True)
    structlog.get_logger("ours").info("opened", path="/data/x", count=3)
    logging.getLogger("theirs").warning("slow by %d s", 7, extra={"host": "db1"})
    ours, theirs = lines()
    times = (ours.pop("timestamp"), theirs.pop("timestamp"))
    assert ours == {"event": "opened", "level": "info", "logger": "ours", "path": "/data/x", "count": 3}
    assert theirs == {"event": "slow by 7 s", "level": "warning", "logger": "theirs", "host": "db1"}
    assert all(text.endswith("Z") and text[10] == "T" for text in times)


def test_stderr_gets_the_lines_and_stdout_none(capsys: pytest.CaptureFixture[str]) -> None:
    """Stdout belongs to a command's answer; JSON is chosen where stderr is no terminal."""
    configure_logging()
    logging.getLogger("x").info("one")
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err)["event"] == "one"


def test_a_terminal_gets_lines_for_people(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Text first, then the fields."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logging()
    structlog.get_logger("ours").info("opened", count=3)
    err = capsys.readouterr().err
    assert "opened" in err
    assert "count" in err
    assert not err.startswith("{")


def test_levels_filter_both(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """And may be set anew, also for loggers that are in use."""
    log, standard = structlog.get_logger("ours"), logging.getLogger("theirs")
    for level, seen in (("WARNING", 0), ("info", 2), ("ERROR", 0)):
        configure_logging(level, json=True)
        log.info("x")
        standard.info("x")
        assert len(lines()) == seen


def test_configuring_again_does_not_double_the_lines(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Nor does a handler that a library has put on the root, as basicConfig does; others stay."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    logging.getLogger().addHandler(logging.StreamHandler())
    for _ in range(3):
        configure_logging(json=True)
    logging.getLogger("x").info("once")
    assert len(lines()) == 1
    assert other in logging.getLogger().handlers


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    """Nothing was configured; the level is shown escaped."""
    before = list(logging.getLogger().handlers)
    with pytest.raises(ConfigError, match=r"'LOUD\\x1b' is not known; one of DEBUG, INFO"):
        configure_logging("LOUD\x1b")
    assert logging.getLogger().handlers == before


def test_lines_inside_an_attempt_name_it(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """From structlog and the standard library; a field of the line's own wins; outside, nothing is named."""
    configure_logging(json=True)
    with LoggingHooks().running(ATTEMPT):
        structlog.get_logger("ours").info("inside")
        logging.getLogger("theirs").info("inside", extra={"step": "mine"})
    structlog.get_logger("ours").info("outside")
    ours, theirs, outside = lines()
    assert {name: ours[name] for name in NAMES} == NAMES
    assert {name: theirs[name] for name in NAMES} == NAMES | {"step": "mine"}
    assert not NAMES.keys() & outside.keys()


def test_attempts_do_not_see_each_other(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Not on one event loop, not in threads, not after an exception."""
    configure_logging(json=True)
    hooks, log = LoggingHooks(), structlog.get_logger("x")

    async def attempt(number: int) -> None:
        with hooks.running(ATTEMPT._replace(attempt=number)):
            await asyncio.sleep(0.01 / number)
            log.info(str(number))

    async def all_at_once() -> None:
        await asyncio.gather(*(attempt(number) for number in range(1, 6)))

    def fails(number: int) -> None:
        log.info(str(number))
        raise ValueError("end")

    def in_thread(number: int) -> None:
        with pytest.raises(ValueError, match="end"), hooks.running(ATTEMPT._replace(attempt=number)):
            fails(number)
        log.info("outside")

    asyncio.run(all_at_once())
    threads = [threading.Thread(target=in_thread, args=[number]) for number in range(6, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines()
    assert len(found) == 11
    for line in found:
        assert line.get("attempt") == (None if line["event"] == "outside" else int(line["event"]))


@pytest.mark.parametrize(
    ("ending", "level", "text"),
    [
        ("completed", "debug", "attempt completed"),
        ("held", "debug", "attempt held for its group"),
        ("retrying", "warning", "attempt failed; it is retried"),
        ("dead", "error", "attempt failed; its delivery is a dead letter"),
    ],
)
def test_an_ending_is_one_line_at_its_level(
    lines: Callable[[], list[dict[str, Any]]], ending: Ending, level: str, text: str
) -> None:
    """With what it was about and how long it took, and no payload."""
    configure_logging("DEBUG", json=True)
    error = raised(ValueError("bad pixels")) if ending in ("retrying", "dead") else None
    LoggingHooks().ended(ended(ending, error))
    [line] = lines()
    del line["timestamp"]
    traceback = line.pop("exception", "")
    expected: dict[str, object] = {"event": text, "level": level, "logger": "farandole", "type": "scene.stacked"}
    expected |= {"delivery": "d" * 32, "seconds": 1.5, "outputs": 3, **NAMES}
    assert line == (expected if error is None else expected | {"error": "ValueError: bad pixels"})
    assert ("in raised" in traceback) == (ending == "dead")
    assert "canary" not in str(line)


def test_a_group_has_no_event_to_name(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Nor has a record that cannot be decoded."""
    configure_logging(json=True)
    LoggingHooks().ended(ended("dead")._replace(attempt=ATTEMPT._replace(event=None)))
    [line] = lines()
    assert (line["event_id"], line["type"], line["workflow"]) == (None, None, "w1")


def test_what_is_not_logged_is_not_built(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """At INFO, an attempt that completes costs neither a text nor a dict: its error is not even looked at."""

    class Untouchable(Exception):
        def __str__(self) -> str:
            raise AssertionError("looked at")

    configure_logging("INFO", json=True)
    hooks = LoggingHooks()
    for ending in ("completed", "held"):
        assert not hooks.hears(ending)
        hooks.ended(Ended(ATTEMPT, ending, started=None, finished=None, outputs=1, error=Untouchable()))  # type: ignore[arg-type]  # anything that touches them fails
    hooks.committed(Commit("tiling", "extract", 500, 0.1))
    assert lines() == []
    begun = time.perf_counter()
    for _ in range(10_000):
        with hooks.running(ATTEMPT):
            pass
        hooks.ended(Ended(ATTEMPT, "completed", 1.0, 2.0, 1))
    assert time.perf_counter() - begun < 2, "200 µs an attempt would be a hundred times too much"


def test_commits_and_notes_are_lines_too(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """Commits at debug, notes at info."""
    configure_logging("DEBUG", json=True)
    hooks: Hooks = LoggingHooks()
    hooks.committed(Commit("tiling", "extract", 500, 0.12345))
    hooks.noted("lease granted", partition=3)
    commit, note = lines()
    assert (commit["level"], commit["records"], commit["seconds"]) == ("debug", 500, 0.1235)
    assert (note["level"], note["event"], note["partition"]) == ("info", "lease granted", 3)


def test_hooks_never_raise(lines: Callable[[], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for an exception without a text, not for fields that are no JSON, not when stderr is gone."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    configure_logging(json=True)
    hooks = LoggingHooks()
    hooks.ended(ended("retrying", Odd()))
    hooks.ended(ended("dead", raised(Odd())))
    hooks.ended(ended("retrying", ValueError("x" * 10_000)))
    hooks.noted("odd", value=object(), key={1, 2}, surrogate="\ud800")
    found = lines()
    assert found[0]["error"] == "Odd (its text raised RuntimeError)"
    assert len(found[2]["error"]) < 600
    assert len(found) == 4

    class Closed:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    hooks.noted("nobody hears it")


def test_secrets_are_hidden_wherever_they_are_logged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fields, in texts with a URL, in the text of an exception; in JSON and for people."""
    for as_json in (True, False):
        configure_logging(json=as_json)
        log = structlog.get_logger("x")
        log.info("open kafka://user:canary@host/eo", password="canary", auth={"token": "canary"})
        logging.getLogger("x").info("open", extra={"api_key": "canary"})
        LoggingHooks().ended(ended("dead", raised(OSError("no route to kafka://user:canary@host"))))
        err = capsys.readouterr().err
        assert "canary" not in err
        assert "host" in err


def test_other_handlers_get_no_secrets_either(caplog: pytest.LogCaptureFixture) -> None:
    """A record is redacted before it is handed out."""
    configure_logging(json=True)
    structlog.get_logger("x").info("open kafka://user:canary@host/eo", password="canary")
    assert "canary" not in caplog.text


def test_tracebacks_show_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Local variables may hold payloads and secrets; a terminal gets none either."""
    canary = "canary"
    for as_json in (True, False):
        configure_logging(json=as_json)
        try:
            raise ValueError(len(canary))
        except ValueError:
            structlog.get_logger("x").exception("failed")
            logging.getLogger("x").exception("failed")
        err = capsys.readouterr().err
        assert err.count("ValueError: 6") == 2
        assert "'canary'" not in err.replace('canary = "canary"', "")


def test_what_is_logged_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No cursor movement, no line of its own, no reversed text, from fields, texts or exceptions."""
    configure_logging(json=False)
    bad = "\x1b[2J\r\n2026-01-01 [info] forged \u202e"
    log = structlog.get_logger("x")
    log.info(bad, value=bad, inside=[bad])
    logging.getLogger("x").info("id %s", bad)
    try:
        raise ValueError("\x1b[2J\u202e")
    except ValueError:
        log.exception("failed")
    err = capsys.readouterr().err
    colours = err.replace("\x1b[", "").count("\x1b")
    assert "\x1b[2J" not in err
    assert "\u202e" not in err
    assert "\r" not in err
    assert colours == 0
    assert len([line for line in err.splitlines() if "forged" in line]) == 2
    assert "Traceback" in err
