"""The tutorial: whoever follows it, with the wheel in an empty environment, sees what it says."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.terminal import Screen, Terminal
from tests.docs.tutorial import FIRST, Typed, Written, read, shows

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "writing-a-step.md"
PATIENCE = 120.0  # seconds that one command may take on a busy machine
INSTALLING = 300.0
GOES_ON = "farandole up"
LOOKS = ("farandole status", "farandole events", "farandole dlq list")
"""Commands that change nothing: what they are to show may take a moment, so they are asked again."""


class Reader:
    """Does what the tutorial says, in as many terminals as it names."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._folder, self._env, self._place = folder, env, folder
        self._terminals: dict[str, Terminal] = {}

    def do(self, step: Written | Typed, *, fails: bool) -> None:
        """One file or command; `fails`: the command may end with another code than 0."""
        if isinstance(step, Written):
            self._write(step)
        elif step.command == "^C":
            self._interrupt(step)
        else:
            self._enter(step, fails=fails)

    def close(self) -> list[str]:
        """End what still runs; what did not end by itself."""
        return [name for terminal in self._terminals.values() for name in terminal.close()]

    def _write(self, step: Written) -> None:
        path = self._place / step.path
        assert path.exists(), f"{step.path} replaces nothing that is there"
        path.write_text(step.text)

    def _terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            self._terminals[name] = Terminal(self._folder, self._env)
        return self._terminals[name]

    def _enter(self, step: Typed, *, fails: bool) -> None:
        terminal, deadline = self._terminal(step.terminal), time.monotonic() + PATIENCE
        while True:
            terminal.type(step.command)
            if step.command.startswith(GOES_ON):
                screen = terminal.look(lambda s: shows(step.expected, s.text, so_far=True), PATIENCE)
                assert screen.code is None, _told(step, screen)
                assert shows(step.expected, screen.text, so_far=True), _told(step, screen)
                return
            screen = terminal.look(lambda _: False, INSTALLING if step.command.startswith("pip") else PATIENCE)
            assert screen.code is not None, f"still running: {_told(step, screen)}"
            if shows(step.expected, screen.text) or not step.command.startswith(LOOKS) or time.monotonic() > deadline:
                break
        assert shows(step.expected, screen.text), _told(step, screen)
        assert fails or screen.code == 0, _told(step, screen)
        if step.terminal == FIRST:
            self._place = screen.folder

    def _interrupt(self, step: Typed) -> None:
        terminal = self._terminal(step.terminal)
        terminal.press_ctrl_c()
        screen = terminal.look(lambda _: False, PATIENCE)
        assert screen.code == 0, _told(step, screen)
        assert shows(step.expected, screen.text), _told(step, screen)


def _told(step: Typed, screen: Screen) -> str:
    expected = "\n".join(step.expected)
    return f"$ {step.command}\n--- {DOCUMENT.name} says\n{expected}\n--- seen (exit code {screen.code})\n{screen.text}"


def _wheels(folder: Path) -> str:
    """The libraries as they would be published, as lines of a file of constraints."""
    argv = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    lines = []
    for name in ("farandole", "farandole-observe"):
        made = [*argv, "--outdir", str(folder / name), str(ROOT / "libs" / name)]
        subprocess.run(made, check=True, capture_output=True, timeout=PATIENCE)
        (wheel,) = (folder / name).glob("*.whl")
        lines.append(f"{name} @ {wheel.as_uri()}\n")
    return "".join(lines)


def _environment(folder: Path) -> dict[str, str]:
    """As a reader has it: `python` is there, nothing is installed, and `pip install farandole` finds our wheel."""
    ours = ("FARANDOLE_", "PYTEST_", "PYTHON", "VIRTUAL_ENV", "WORDS_", "COLUMNS", "LINES", "NO_COLOR", "COV_")
    env = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    programs = folder / "bin"
    programs.mkdir(parents=True)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in ("python", "python3"):
        (programs / name).symlink_to(base)
    constraints = folder / "constraints.txt"
    constraints.write_text((ROOT / "constraints.txt").read_text() + _wheels(folder / "wheels"))
    path = os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"])
    pip = {
        "PIP_CONSTRAINT": str(constraints),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COMPILE": "1",
    }
    return env | pip | {"PATH": path, "TERM": "xterm"}


@contextmanager
def _reading(folder: Path, env: dict[str, str]) -> Iterator[Reader]:
    reader = Reader(folder, env)
    try:
        yield reader
    finally:
        stray = reader.close()
    assert not stray, f"left running: {stray}"


@pytest.mark.e2e
def test_every_command_of_the_tutorial_prints_what_the_tutorial_says(tmp_path: Path) -> None:
    """From an empty directory and an empty environment; what runs in the background is ended, nothing is left."""
    steps = read(DOCUMENT.read_text())
    home = tmp_path / "reader"
    home.mkdir()
    env = _environment(tmp_path / "around")
    with _reading(home, env) as reader:
        for step, following in zip(steps, [*steps[1:], None], strict=True):
            asked = isinstance(following, Typed) and following.command == "echo $?"
            reader.do(step, fails=asked)
    assert (home / "wordcount" / "var" / "farandole" / "log.db").exists()


def test_the_tutorial_has_commands_files_and_two_terminals() -> None:
    """Else the comparison would be of nothing; and its reader is told of every file in full."""
    steps = read(DOCUMENT.read_text())
    commands = [step for step in steps if isinstance(step, Typed)]
    assert len(commands) >= 20
    assert len({step.terminal for step in commands}) == 2
    assert sum(step.command.startswith(GOES_ON) for step in commands) == sum(s.command == "^C" for s in commands) == 2
    assert sum(any(line.strip("… ") for line in step.expected) for step in commands) >= 15
    assert [step.path for step in steps if isinstance(step, Written)] == [
        "src/wordcount/events.py",
        "src/wordcount/steps.py",
        "tests/test_steps.py",
    ]


def test_the_tutorial_s_links_lead_somewhere() -> None:
    """Those to other places of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", DOCUMENT.read_text())
    assert links
    assert [link for link in links if not (DOCUMENT.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("expected", "screen", "same"),
    [
        (("a … c", "d"), "a  b   c\nd\n", True),
        (("a … c", "d"), "a b c\nD\n", False),
        (("a", "…", "z"), "a\nz\n", True),
        (("a", "…", "z"), "a\nb\nc\nz\n", True),
        (("a", "…", "z"), "a\nb\nz\nc\n", False),
        (("a",), "a\nb\n", False),
        (("a", "b"), "a\n", False),
        ((), "a\n", False),
        ((), "", True),
        (("… : complete",), "x : dead\n", False),
    ],
)
def test_a_screen_that_differs_from_the_document_is_told_from_one_that_does_not(
    expected: tuple[str, ...], screen: str, same: bool
) -> None:
    """`…` stands for any text in a line, or for any lines; the width of gaps does not count, all else does."""
    assert shows(expected, screen) is same
    assert not same or shows(expected, f"{screen}more\n", so_far=True)
