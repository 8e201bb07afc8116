"""The commands that need no log: new, config, asset, schemas; and the file that `ps` reads."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from farandole.cli.outlet import Outlet
from farandole.cli.progress import told
from farandole.cli.runfile import RunFile, is_alive, read_all
from farandole.cli.supervise import Child
from farandole.cli.up_command import _named
from libs.farandole.tests.unit.cli.test_shapes import COUNT, SUMMARY

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def _json(capsys: Capture) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


# -- new ----------------------------------------------------------------------------------------------------


def test_new_makes_a_project_of_the_users_own(tmp_path: Path, capsys: Capture) -> None:
    """Its name is in every place, and nothing of a template is left."""
    assert main(["new", "word-count", "--json"]) == 0
    shape = _json(capsys)
    assert shape["project"] == "word-count"
    names = ["farandole.toml", "src/word_count/__init__.py", "src/word_count/steps.py", "tests/test_steps.py"]
    assert {f"word-count/{name}" for name in names} < set(shape["files"])  # type: ignore[call-overload]
    for path in (tmp_path / "word-count").rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "$package" not in text
            assert "$name" not in text


@pytest.mark.parametrize("name", ["Word", "a b", "../x", "x" * 41, "", "json", "class", "farandole", "-x", "a--b"])
def test_new_refuses_a_name_that_is_none_or_hides_a_module(name: str, tmp_path: Path, capsys: Capture) -> None:
    """Nothing is made."""
    assert main(["new", "--", name]) == Code.BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_new_leaves_what_is_there_alone(tmp_path: Path, capsys: Capture) -> None:
    """A second time it is refused."""
    assert main(["new", "mine"]) == 0
    (tmp_path / "mine" / "README.md").write_text("changed")
    assert main(["new", "mine"]) == Code.BAD_INPUT
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine" / "README.md").read_text() == "changed"


# -- config -------------------------------------------------------------------------------------------------


def test_config_shows_what_is_in_force_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Each setting with where it came from."""
    monkeypatch.setenv("FARANDOLE_GRACE", "1m")
    assert main(["config", "--log", "kafka://eo:hunter2@host/eo", "--json"]) == 0
    shape = _json(capsys)
    assert shape["file"] is None
    settings = {entry["name"]: entry for entry in shape["settings"]}  # type: ignore[attr-defined]
    assert settings["log"] == {"name": "log", "value": "kafka://***@host/eo", "from": "--log"}
    assert settings["grace"] == {"name": "grace", "value": 60.0, "from": "FARANDOLE_GRACE"}
    assert settings["partitions"] == {"name": "partitions", "value": 4, "from": "default"}
    (tmp_path / "farandole.toml").write_text("[up]\nservices = ['a:b', 'c:d']")
    assert main(["config", "--log", "kafka://eo:hunter2@host/eo"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    assert "a:b, c:d" in out


def test_config_refuses_a_file_with_a_mistake(tmp_path: Path, capsys: Capture) -> None:
    """With file and field."""
    (tmp_path / "farandole.toml").write_text("partition = 3")
    assert main(["config"]) == Code.BAD_INPUT
    assert "farandole.toml: partition: is no setting; did you mean 'partitions'?" in capsys.readouterr().err


# -- asset --------------------------------------------------------------------------------------------------


def test_an_asset_goes_in_and_comes_out(tmp_path: Path, capsys: Capture) -> None:
    """By its name alone."""
    (tmp_path / "in.bin").write_bytes(b"content")
    assert main(["asset", "put", "in.bin", "--media-type", "image/tiff", "--json"]) == 0
    asset = _json(capsys)
    assert (asset["size"], asset["media_type"]) == (7, "image/tiff")
    uri = str(asset["uri"])
    assert main(["asset", "get", uri, "out.bin"]) == 0
    assert (tmp_path / "out.bin").read_bytes() == b"content"
    (tmp_path / "folder").mkdir()
    assert main(["asset", "get", uri, "folder"]) == 0
    assert [path.read_bytes() for path in (tmp_path / "folder").iterdir()] == [b"content"]
    capsys.readouterr()
    assert main(["asset", "get", uri]) == 0
    assert Path(capsys.readouterr().out.strip()).read_bytes() == b"content"


def test_what_is_no_asset_is_refused_and_what_is_missing_is_not_found(tmp_path: Path, capsys: Capture) -> None:
    """A missing file, a folder, a pipe, a path as URI, content that nobody put, and a place that cannot be written."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    for name in ("missing", ".", "pipe"):
        assert main(["asset", "put", name]) == Code.BAD_INPUT
    assert main(["asset", "get", "file:///etc/passwd"]) == Code.BAD_INPUT
    assert main(["asset", "get", f"asset:sha256/{'0' * 64}"]) == Code.NOT_FOUND
    assert main(["asset", "put", "file"]) == 0
    uri = capsys.readouterr().out.strip()
    assert main(["asset", "get", uri, "no/such/folder/out"]) == Code.BAD_INPUT
    assert not list(tmp_path.glob(".out*"))


# -- schemas ------------------------------------------------------------------------------------------------

_SERVICES = """
from farandole import Event, Service

class Seen(Event, type="thing.seen", key="id"):
    id: str
    FIELD

class Weighed(Event, type="thing.weighed", key="id", final=True):
    id: str
    grams: float

class SeenToo(Event, type="thing.seen", key="id"):
    id: str
    VIEW

service = Service("weighing", accepts=[Seen])
other = Service("other")

@service.step
def weigh(seen: Seen) -> Weighed: ...

@other.step
def look(seen: SeenToo) -> None: ...
"""


def _write(folder: Path, module: str, *, field: str = "", view: str = "") -> list[str]:
    (folder / f"{module}.py").write_text(_SERVICES.replace("FIELD", field).replace("VIEW", view))
    return [f"{module}:service", f"{module}:other"]


def test_schemas_are_exported_once_and_then_kept_to(tmp_path: Path, capsys: Capture) -> None:
    """An additive change is a new revision; without an export of it the check fails."""
    targets = _write(tmp_path, "first")
    assert main(["schemas", "check", *targets]) == Code.BAD_INPUT
    assert "is not exported" in capsys.readouterr().err
    assert main(["schemas", "export", *targets, "--json"]) == 0
    written = _json(capsys)["written"]
    assert [(w["type"], w["version"], w["revision"]) for w in written] == [  # type: ignore[attr-defined]
        ("thing.seen", 1, 0),
        ("thing.weighed", 1, 0),
    ]
    assert (tmp_path / "schemas/thing.seen/v1.0.json").is_file()
    assert main(["schemas", "check", *targets]) == 0
    assert main(["schemas", "export", *targets]) == 0
    assert "nothing new" in capsys.readouterr().out
    more = _write(tmp_path, "second", field="colour: str = 'red'")
    assert main(["schemas", "export", *more]) == 0
    assert (tmp_path / "schemas/thing.seen/v1.1.json").is_file()
    assert main(["schemas", "check", *more]) == 0


def test_a_change_that_breaks_a_committed_version_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is written, and the cure is named."""
    assert main(["schemas", "export", *_write(tmp_path, "before")]) == 0
    capsys.readouterr()
    assert main(["schemas", "export", *_write(tmp_path, "after", field="colour: str")]) == Code.BAD_INPUT
    err = capsys.readouterr().err
    assert "thing.seen v1" in err
    assert "version=2" in err
    assert sorted(p.name for p in (tmp_path / "schemas/thing.seen").iterdir()) == ["v1.0.json"]


def test_a_view_that_needs_more_than_is_published_is_named_with_both_services(tmp_path: Path, capsys: Capture) -> None:
    """Type, field and both services."""
    targets = _write(tmp_path, "needy", view="weight: int")
    assert main(["schemas", "export", *targets]) == 0
    capsys.readouterr()
    assert main(["schemas", "check", *targets, "--json"]) == Code.BAD_INPUT
    problems = _json(capsys)["problems"]
    assert len(problems) == 1  # type: ignore[arg-type]
    for part in ("thing.seen", "weight", "other", "weighing"):
        assert part in problems[0]  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: s["properties"].update(id={"$ref": "https://example.com/id.json"}), "\\$ref"),
        (lambda s: s["properties"].update(id={"$ref": "#"}), ""),
        (lambda s: s["properties"]["id"].update(pattern="^(a+)+$"), ""),
        (lambda s: s["properties"]["id"].update(type="integer"), ""),
    ],
    ids=["remote reference", "recursion", "catastrophic pattern", "other content"],
)
def test_a_schema_file_that_a_stranger_changed_is_refused(
    change: object, why: str, tmp_path: Path, capsys: Capture
) -> None:
    """At once, by name; nothing is fetched, no pattern is run."""
    targets = _write(tmp_path, "fine")
    assert main(["schemas", "export", *targets]) == 0
    path = tmp_path / "schemas/thing.seen/v1.0.json"
    schema = json.loads(path.read_text())
    change(schema)  # type: ignore[operator]
    path.chmod(0o600)
    path.write_text(json.dumps(schema))
    capsys.readouterr()
    for command in (["schemas", "check"], ["schemas", "export"]):
        assert main([*command, *targets]) == Code.BAD_INPUT
        err = capsys.readouterr().err
        assert str(path) in err
        assert why.strip("\\") in err


def test_schemas_without_services_say_what_to_write(capsys: Capture) -> None:
    """In farandole.toml."""
    assert main(["schemas", "check"]) == Code.BAD_INPUT
    assert "up.services" in capsys.readouterr().err


# -- run, up: what is refused before anything starts ------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("x = 1", "mod:service", "'service' is no Service"),
        ("", "missing_module:service", "missing_module"),
        ("", "mod", "module:attribute"),
        ("1 / 0", "mod:service", "ZeroDivisionError: division by zero"),
        ("def broken(:", "mod:service", "SyntaxError"),
        ("from farandole import Service\nservice = Service('Bad Name')", "mod:service", "Bad Name"),
    ],
)
def test_run_refuses_what_is_no_service(source: str, target: str, why: str, tmp_path: Path, capsys: Capture) -> None:
    """Exit 78, with where it went wrong."""
    sys.modules.pop("mod", None)
    (tmp_path / "mod.py").write_text(source)
    assert main(["run", target]) == Code.REFUSED
    assert why in capsys.readouterr().err
    sys.modules.pop("mod", None)


def test_run_refuses_capacity_for_a_step_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Naming file, field and the steps that there are."""
    targets = _write(tmp_path, "capacities")
    (tmp_path / "farandole.toml").write_text("[step.weighing.wiegh]\nconcurrency = 2")
    assert main(["run", *targets]) == Code.REFUSED
    err = capsys.readouterr().err
    assert "farandole.toml: step.weighing.wiegh: no such step; did you mean 'weigh'?" in err
    (tmp_path / "farandole.toml").write_text("[step.weighing.weigh]\ntimeout = '3s'")
    assert main(["run", *targets]) == Code.REFUSED
    assert "use runs='process'" in capsys.readouterr().err


def test_up_needs_something_to_start(capsys: Capture) -> None:
    """Exit 2 with what to write."""
    assert main(["up"]) == Code.BAD_INPUT
    assert "up.services" in capsys.readouterr().err
    assert main(["up", "nonsense"]) == Code.BAD_INPUT
    assert "module:attribute" in capsys.readouterr().err
    assert main(["up", "a:b", "--log", "memory:"]) == Code.BAD_INPUT
    assert "within one process" in capsys.readouterr().err


def test_services_of_one_package_have_different_names() -> None:
    """In front of their lines."""
    targets = ["a.steps:service", "b:x", "a.more:service", "a:z"]
    assert [name for name, _ in _named(targets)] == ["a", "b", "a-2", "a-3"]


# -- ps -----------------------------------------------------------------------------------------------------


def test_a_run_file_tells_of_the_living_only(tmp_path: Path) -> None:
    """A pid that was given out again is another process; what a killed supervisor left is removed."""
    folder = tmp_path / "log.db.up"
    file = RunFile(folder)
    child = Child("tiling", "tiling.steps:service", state="running", pid=os.getpid(), restarts=2)
    file.write([child])
    (path,) = folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (entry,) = read_all(folder)
    assert (entry["service"], entry["state"], entry["pid"], entry["restarts"]) == ("tiling", "running", os.getpid(), 2)
    body = json.loads(path.read_text())
    path.write_text(json.dumps(body | {"started": body["started"] - 1000}))
    assert list(read_all(folder)) == []
    assert not path.exists()
    (folder / "1.json").write_text("{broken")
    assert list(read_all(folder)) == []
    file.write([child])
    file.remove()
    assert [p.name for p in folder.iterdir()] == ["1.json"]


def test_what_cannot_be_told_to_ps_stops_nobody(tmp_path: Path) -> None:
    """A hint that cannot be written is none; nothing half-written stays."""
    (tmp_path / "file").touch()
    file = RunFile(tmp_path / "file" / "log.db.up")
    assert not file.write([Child("tiling", "tiling.steps:service")])
    file.remove()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_line_that_cannot_be_written_is_lost_unless_its_reader_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the services go on; without a reader there is no use in going on."""
    outlet = Outlet(["tiling", "cog"])
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        assert outlet.stderr("cog", b"a line\n")
    read, write = os.pipe()
    with open(write, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert outlet.stdout("cog", b"a line\n")
        assert outlet.stdout("tiling", b"without an end")
        assert os.read(read, 100) == b"cog    | a line\ntiling | without an end\n"
        os.close(read)
        assert not outlet.stdout("cog", b"another\n")


def test_a_process_that_has_ended_is_not_alive() -> None:
    """Neither is one that only waits to be reaped."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    assert is_alive(process.pid, started)
    assert not is_alive(process.pid, started - 100)
    process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        pass
    assert not is_alive(process.pid, started)
    process.communicate()
    assert not is_alive(process.pid, started)
    assert not is_alive(None, None)


def test_progress_is_one_line() -> None:
    """What is done, what is dead, and where the rest stands."""
    assert told(SUMMARY) == "3 done; 1 dead; left: s/t 1"
    assert COUNT.done == 3
