"""The program as a whole: exit codes, one-line errors, help, and commands of other packages."""

import importlib.metadata
import io
import os
import sys
from pathlib import Path

import pytest
import typer

from farandole.cli import main
from farandole.cli.app import COMMANDS, OBSERVING
from farandole.cli.codes import MEANINGS, Code, code_of, first_cause
from farandole.events import errors


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


Capture = pytest.CaptureFixture[str]


def _error(capsys: Capture) -> str:
    """The one line on stderr; there is nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("farandole: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_the_exit_codes_are_one_table_and_stand_in_the_help(capsys: Capture) -> None:
    """Frozen: scripts rely on them."""
    assert [code.value for code in MEANINGS] == [0, 1, 2, 3, 4, 5, 78, 130]
    assert main(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for code in MEANINGS:
        assert f"{code.value} " in shown.partition("Exit codes:")[2]
    for name in COMMANDS:
        assert f" {name} " in shown


@pytest.mark.parametrize(
    ("error", "code", "starting"),
    [
        (errors.BadInput("x"), 2, 78),
        (errors.ConfigError("x"), 2, 78),
        (errors.DeclarationError("x"), 2, 78),
        (errors.Incompatible("x"), 2, 78),
        (errors.IdConflict("x"), 2, 78),
        (errors.NotFound("x"), 4, 78),
        (errors.AssetMissing("x"), 4, 4),
        (errors.AssetRefused("x"), 2, 2),
        (errors.AssetCorrupt("x"), 1, 1),
        (errors.LogFormatError("x"), 78, 78),
        (errors.LogUnavailable("x"), 1, 1),
        (errors.Fenced("x"), 1, 1),
        (TimeoutError("x"), 5, 5),
        (KeyboardInterrupt(), 130, 130),
        (ValueError("x"), 1, 1),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: int, starting: int) -> None:
    """And another one where a service was to be started: it would be no use to start it again."""
    assert code_of(error) == code
    assert code_of(error, starting=True) == starting


def test_of_a_group_of_errors_ours_is_told() -> None:
    """However deep it lies."""
    ours = errors.LogUnavailable("gone")
    group = BaseExceptionGroup("all", [ValueError(), BaseExceptionGroup("inner", [KeyError(), ours])])
    assert first_cause(group) is ours
    assert isinstance(first_cause(BaseExceptionGroup("all", [ValueError(), KeyError()])), ValueError)


def test_an_unknown_command_or_option_suggests_what_was_meant(capsys: Capture) -> None:
    """Exit 2, one line."""
    assert main(["topcis"]) == Code.BAD_INPUT
    assert "'topics'" in _error(capsys)
    assert main(["topics", "--jsn"]) == Code.BAD_INPUT
    assert "--json" in _error(capsys)
    assert main(["dlq", "redrve"]) == Code.BAD_INPUT
    assert "redrive" in _error(capsys)
    assert main(["publish"]) == Code.BAD_INPUT
    assert "TYPE" in _error(capsys)


def test_control_characters_of_the_command_line_come_out_escaped(capsys: Capture) -> None:
    """An error message must not move the cursor."""
    assert main(["\x1b[31mred\x07"]) == Code.BAD_INPUT
    assert "\\x1b[31mred\\x07" in _error(capsys)


def test_an_argument_that_is_no_text_is_refused(capsys: Capture) -> None:
    """Bytes that are not UTF-8 arrive as surrogates."""
    assert main(["events", "caf\udce9"]) == Code.BAD_INPUT
    assert "caf\\udce9 is not UTF-8" in _error(capsys)


def test_without_a_command_the_help_is_shown(capsys: Capture) -> None:
    """And the version is one word."""
    assert main([]) == 0
    assert "Usage: farandole" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{importlib.metadata.version('farandole')}\n"


def test_a_log_that_is_not_there_is_not_made_by_looking(tmp_path: Path, capsys: Capture) -> None:
    """Exit 4, and how to name another."""
    for command in (["topics"], ["dlq", "list"], ["publish", "a", "--data", "{}"], ["log", "check"]):
        assert main(command) == Code.NOT_FOUND
        assert "--log" in _error(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgres://host/db", "sqlite://", "nonsense", "sqlite:///:memory:"])
def test_a_log_url_that_no_engine_knows_is_bad_input(url: str, capsys: Capture) -> None:
    """With the forms that there are."""
    assert main(["topics", "--log", url]) == Code.BAD_INPUT
    assert "sqlite:///" in _error(capsys)


def test_windows_is_refused_with_a_pointer_to_wsl(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Before anything is tried."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["topics"]) == Code.REFUSED
    assert "WSL" in _error(capsys)


class _Entry:
    """An entry point as importlib.metadata gives it."""

    def __init__(self, name: str, loads: object) -> None:
        self.name, self.value, self._loads = name, f"other.package:{name}", loads

    def load(self) -> object:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


def _install(monkeypatch: pytest.MonkeyPatch, *entries: _Entry) -> None:
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: entries if group == "farandole.commands" else ()
    )


def test_other_packages_add_to_our_commands(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A verb beside ours; without one of that package's ours are there."""
    _install(monkeypatch, _Entry("log.count", lambda: print("seven")))
    assert main(["log", "count"]) == Code.DONE
    assert capsys.readouterr().out == "seven\n"
    assert main(["log", "--help"]) == Code.DONE
    assert "backup" in (shown := capsys.readouterr().out)
    assert "count" in shown


def test_other_packages_add_commands(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """A function, or an application of several."""
    several = typer.Typer()
    several.command("one")(lambda: print("one of several"))
    several.command("two")(lambda: print("two of several"))

    def greet(name: str) -> int:
        print(f"hello {name}")
        return 3

    _install(monkeypatch, _Entry("greet", greet), _Entry("several", several))
    assert main(["greet", "you"]) == 3
    assert capsys.readouterr().out == "hello you\n"
    assert main(["several", "two"]) == 0
    assert capsys.readouterr().out == "two of several\n"


def test_a_command_that_cannot_be_loaded_takes_no_other_away(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """It is told of where it is asked for, or where all commands are listed; ours cannot be taken over."""
    _install(monkeypatch, _Entry("broken", ImportError("no module")), _Entry("topics", lambda: print("stolen")))
    assert main(["config"]) == 0
    assert "broken" not in capsys.readouterr().err
    assert main(["--help"]) == 0
    err = capsys.readouterr().err
    assert "command 'broken' cannot be loaded" in err
    assert "'topics' is there already" in err
    assert main(["broken"]) == Code.FAULT
    assert "no module" in capsys.readouterr().err
    assert main(["topics"]) == Code.NOT_FOUND


def test_a_command_of_a_package_that_is_not_installed_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Exit 4, and how to get it."""
    _install(monkeypatch)
    for command in sorted(OBSERVING):
        assert main(command.split()) == Code.NOT_FOUND
        assert "pip install farandole-observe" in _error(capsys)


def test_a_bug_of_ours_is_one_line_and_exit_1(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The traceback is there for who asks."""

    def buggy() -> None:
        raise KeyError("oops")

    _install(monkeypatch, _Entry("buggy", buggy))
    assert main(["buggy"]) == Code.FAULT
    assert "internal error: KeyError: 'oops'" in _error(capsys)
    monkeypatch.setenv("FARANDOLE_TRACEBACK", "1")
    assert main(["buggy"]) == Code.FAULT
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Not as a bug."""

    def fills() -> None:
        raise OSError(28, "No space left on device")

    _install(monkeypatch, _Entry("fills", fills))
    assert main(["fills"]) == Code.FAULT
    assert "no space left" in _error(capsys)


def test_text_that_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ASCII locale must not make a command fail."""
    raw = io.BytesIO()
    _install(monkeypatch, _Entry("say", lambda: print("höher")))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["say"]) == 0
    sys.stdout.flush()
    assert raw.getvalue() == b"h\\xf6her\n"
