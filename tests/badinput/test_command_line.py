"""What people type wrongly: exit code 2, one line that names the place, nothing changed, no wait for a pipe."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.badinput.hall import Hall
from tests.cli.project import environment

GOOD = '{"k": "a"}'
URI = f"asset:sha256/{'0' * 64}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Hall:
    hall = Hall.make(tmp_path_factory.mktemp("typed"))
    assert hall.farandole("status").returncode == 0  # the first question makes its tables, beside the log
    return hall


@pytest.fixture
def hall(made: Hall, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    """After each test the log holds what it held before, and the folder has no new file."""
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    before = _state(made)
    yield made
    assert _state(made) == before


def _state(hall: Hall) -> tuple[str, set[Path]]:
    return hall.farandole("topics", "--json").stdout, set(hall.folder.rglob("*"))


def _refused(hall: Hall, *args: str, code: int = 2) -> str:
    """The one printable line of a command that is refused."""
    done = hall.farandole(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("farandole: ")
    assert done.stderr.endswith("\n")
    assert done.stderr[:-1].isprintable()
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 1000
    return done.stderr


# -- files ------------------------------------------------------------------------------------------------------

FILES = {
    "missing": "No such file",
    "folder": "folder",
    "pipe": "pipe",
    "loop": "links",
    "/dev/zero": "device",
    "/proc/self/mem": "Input/output error",
}
TAKING = {
    "publish --data": (["publish", "bad.came", "--data", "@FILE"], FILES),
    "--config": (["topics", "--config", "FILE"], FILES),
    "asset put": (["asset", "put", "FILE"], FILES.keys() - {"/proc/self/mem"}),
    "log backup": (["log", "backup", "FILE/copy"], FILES.keys() - {"folder"}),
    "--log": (["topics", "--log", "sqlite:///FILE"], ["folder", "pipe", "/dev/zero"]),
    "--assets": (
        ["asset", "put", "farandole.toml", "--assets", "FILE"],
        ["pipe", "loop", "/dev/zero", "farandole.toml"],
    ),
    "--schemas": (
        ["schemas", "export", "tests.badinput.hall:service", "--schemas", "FILE"],
        ["pipe", "loop", "/dev/zero"],
    ),
}


@pytest.mark.parametrize(("how", "name"), [(how, name) for how, (_, names) in TAKING.items() for name in sorted(names)])
def test_2_a_file_that_is_none_is_refused_by_name_and_not_waited_for(hall: Hall, how: str, name: str) -> None:
    """Missing, a folder, a pipe without writer, a link to itself, an endless device, one that cannot be read."""
    places = {other: hall.folder / other for other in ("folder", "pipe", "loop")}
    places["folder"].mkdir()
    os.mkfifo(places["pipe"])
    places["loop"].symlink_to("loop")
    try:
        text = _refused(hall, *(part.replace("FILE", name) for part in TAKING[how][0]))
        assert name in text
    finally:
        places["folder"].rmdir()
        places["pipe"].unlink()
        places["loop"].unlink()


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["publish", "bad.came", "--data", "@locked"], "Permission denied"),
        (["asset", "put", "locked"], "not readable"),
        (["topics", "--config", "locked"], "not readable"),
    ],
)
def test_2_a_file_without_permission_is_refused_by_name(hall: Hall, args: list[str], why: str) -> None:
    """Also for root, once it has laid down the right to read everything."""
    locked = hall.folder / "locked"
    locked.write_text(GOOD)
    locked.chmod(0)
    bare = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
    drop = bare if os.geteuid() == 0 and shutil.which("setpriv") else []
    command = [*drop, sys.executable, "-m", "farandole", *args]
    try:
        done = subprocess.run(
            command, cwd=hall.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
    finally:
        locked.unlink()
    assert (done.returncode, done.stdout) == (2, "")
    assert "locked" in done.stderr
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


# -- ids --------------------------------------------------------------------------------------------------------

IDS = {
    "3 NUL": ("a\0b", "a\\x00b"),
    "3 newline": ("a\nb", "a\\nb"),
    "3 ESC": ("\x1b[2J", "\\x1b[2J"),
    "4 path": ("../../x", "../../x"),
    "4 10 kB": ("x" * 10_240, ""),
}
NAMED = {
    "publish --id": (["publish", "bad.came", "--data", GOOD, "--id", "ID"], "id "),
    "publish --workflow": (["publish", "bad.came", "--data", GOOD, "--workflow", "ID"], "workflow "),
    "publish TYPE": (["publish", "ID", "--data", GOOD], "type "),
    "publish --expect": (["publish", "bad.came", "--data", GOOD, "--expect", "ID"], "--expect "),
    "status": (["status", "ID"], "workflow "),
    "events": (["events", "ID"], "workflow "),
    "dlq show": (["dlq", "show", "ID"], "delivery "),
    "dlq redrive": (["dlq", "redrive", "ID"], "delivery "),
    "dlq discard": (["dlq", "discard", "ID"], "delivery "),
    "dlq list --step": (["dlq", "list", "--step", "ID"], "--step "),
    "dlq discard --step": (["dlq", "discard", "--all", "--step", "ID"], "--step "),
    "asset get": (["asset", "get", "ID"], ""),
    "new": (["new", "ID"], ""),
}


@pytest.mark.parametrize("case", IDS)
@pytest.mark.parametrize("how", NAMED)
def test_3_and_4_an_id_that_could_do_harm_is_refused_escaped(hall: Hall, how: str, case: str) -> None:
    """Control characters, paths and ten kilobytes are no names, wherever one is typed; the line says which."""
    (args, what), (given, shown) = NAMED[how], IDS[case]
    text = _refused(hall, *(given if part == "ID" else part for part in args))
    assert what in text
    assert shown in text.replace("\\0b", "\\x00b")


# -- times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", ["2026-13-45", "-3s", "-1", "nan", "NaN", "inf", "1e999", "-0.1", "", "3 weeks", "101y"]
)
def test_5_a_duration_that_is_none_is_refused(hall: Hall, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """On the command line, in the environment and in the file."""
    text = _refused(hall, "publish", "bad.came", "--data", GOOD, "--timeout", given)
    assert "--timeout: " in text
    if given:  # an empty variable says nothing
        monkeypatch.setenv("FARANDOLE_GRACE", given)
        assert "FARANDOLE_GRACE: " in _refused(hall, "topics")
        monkeypatch.delenv("FARANDOLE_GRACE")
    other = hall.folder / "other.toml"
    other.write_text(f"grace = '{given}'")
    try:
        assert "other.toml: grace: " in _refused(hall, "topics", "--config", "other.toml")
    finally:
        other.unlink()


@pytest.mark.parametrize("args", [["--since", "2026-13-45"], ["--limit", "-1"], ["--limit", "nan"]])
def test_5_a_bound_that_is_none_is_refused(hall: Hall, args: list[str]) -> None:
    """Also an option that there is not: nothing is taken for a wish that was heard."""
    assert args[0] in _refused(hall, "status", *args)


# -- what is not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [["dlq", "redrive"], ["dlq", "discard"], ["dlq", "show"], ["status"], ["events"]])
def test_8_an_id_that_the_log_does_not_know_is_not_found(hall: Hall, args: list[str]) -> None:
    """Exit 4, naming it."""
    text = _refused(hall, *args, "0123456789abcdef", code=4)
    assert "no " in text
    assert "'0123456789abcdef'" in text


def test_8_an_asset_that_nobody_put_is_not_found(hall: Hall) -> None:
    """Exit 4, naming it and the store."""
    assert URI in _refused(hall, "asset", "get", URI, code=4)
