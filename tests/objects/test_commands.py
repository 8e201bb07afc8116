"""Services and commands on assets in a bucket: only the setting differs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from farandole.cli import main
from farandole.cli.codes import Code
from scripts.demo.check import problems
from scripts.s3 import S3
from tests.cli.project import Project, until
from tests.eo.test_demo import demo
from tests.objects.rig import ObjectRig

pytestmark = pytest.mark.e2e

CANARY = "canary-50d2"
SERVICES = """
from pathlib import Path

from farandole import Asset, Context, Event, Retry, Service


class FileCame(Event, type="file.came", key="name"):
    name: str
    size: int


class FileMade(Event, type="file.made", key="name"):
    name: str
    file: Asset


class FileRead(Event, type="file.read", key="name", final=True):
    name: str
    size: int
    where: str


making, reading = Service("making", accepts=[FileCame]), Service("reading")


@making.step(runs="process", retry=Retry(attempts=1))
def make(came: FileCame, ctx: Context) -> FileMade:
    path = ctx.scratch / "made"
    path.write_bytes(b"m" * came.size)
    return FileMade(name=came.name, file=ctx.save(path))


@reading.step
def read(made: FileMade, ctx: Context) -> FileRead:
    path = ctx.fetch(made.file)
    return FileRead(name=made.name, size=len(path.read_bytes()), where=str(path))
"""


@pytest.fixture
def rig(s3: S3, tmp_path: Path) -> ObjectRig:
    return ObjectRig(s3, tmp_path)


@pytest.fixture
def project(rig: ObjectRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two services whose assets lie in the bucket."""
    (tmp_path / "project").mkdir()
    made = Project(tmp_path / "project")
    (made.folder / "files.py").write_text(SERVICES)
    (made.folder / "farandole.toml").write_text(
        f'log = "sqlite:///var/log.db"\nassets = "{rig.url}"\nasset_cache = "var/copies"\n'
        '[up]\nservices = ["files:making", "files:reading"]\n'
    )
    monkeypatch.setattr("tests.cli.project.environment", lambda: dict(os.environ))
    return made


def published(project: Project, size: int) -> None:
    done = project.main("publish", "file.came", "--data", json.dumps({"name": "a", "size": size}), "--id", "a")
    assert done.returncode == 0, done.stderr


def test_services_in_processes_hand_content_on_by_way_of_the_bucket(project: Project, rig: ObjectRig) -> None:
    """A step in a process of its own saves, one in a thread of another service fetches; nothing is held afterwards."""
    with project.up():
        published(project, 100_000)
        until(lambda: "complete" in project.main("status", "file.came:a").stdout)
        shown = json.loads(project.main("events", "file.came:a", "--data", "--json").stdout)
        [read] = [one["data"] for one in shown["events"] if one["type"].startswith("file.read")]
        assert read["size"] == 100_000
        assert Path(read["where"]).is_relative_to(project.folder / "var" / "copies" / "held")
        assert not Path(read["where"]).exists()
    assert len(rig.contents()) == 1


def test_a_secret_that_is_refused_is_shown_nowhere(
    project: Project, s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The dead letter says that the store refuses us; neither it nor any file, line or answer has the secret."""
    monkeypatch.delenv("FARANDOLE_ASSETS_SECRET")
    monkeypatch.setenv("FARANDOLE_ASSETS_SECRET_FILE", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text(CANARY)
    with project.up():
        published(project, 10)
        until(lambda: "refuses us" in project.main("dlq", "list", "--json").stdout)
        said = "".join(
            project.main(*command).stdout
            for command in (("dlq", "list"), ("config", "--json"), ("config",), ("events", "file.came:a", "--json"))
        )
    assert f"s3://{s3.bucket}/" in said
    kept = b"".join(path.read_bytes() for path in project.folder.rglob("*") if path.is_file())
    assert b"refuses us" in kept
    assert CANARY not in said
    assert CANARY.encode() not in kept


@pytest.fixture
def run(project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A command in the project's folder, which has to succeed; what it prints."""
    monkeypatch.chdir(project.folder)

    def call(*args: str) -> str:
        assert main(args) == Code.DONE, capsys.readouterr().err
        return capsys.readouterr().out

    return call


def test_the_asset_commands_put_get_and_prune(
    run: Callable[..., str], rig: ObjectRig, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a folder; what is there for long and spoken of by nothing goes, and nothing else."""
    (project.folder / "file").write_bytes(b"content")
    uri = run("asset", "put", "file").strip()
    monkeypatch.setenv("FARANDOLE_ASSET_CACHE", str(project.folder / "elsewhere"))
    run("asset", "get", uri, "out")
    assert (project.folder / "out").read_bytes() == b"content"
    assert Path(run("asset", "get", uri).strip()).read_bytes() == b"content"
    run("topics", "apply", "files:making", "files:reading", "--yes")
    (project.folder / "other").write_bytes(b"young")
    young = run("asset", "put", "other").strip()
    rig.age(uri)
    shown = json.loads(run("asset", "prune", "--json"))
    assert shown == {"assets": 2, "go": [uri], "bytes": 7, "removed": 0}
    assert json.loads(run("asset", "prune", "--yes", "--json")) == shown | {"removed": 1}
    assert rig.contents() == [young[-64:]]
    assert [name for name in rig.names() if uri[-62:] in name] == []


@pytest.fixture
def refused(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """A command that has to be refused as bad input; what it says."""
    monkeypatch.chdir(project.folder)

    def call(*args: str) -> str:
        assert main(args) == Code.BAD_INPUT
        return capsys.readouterr().err

    return call


def test_settings_that_name_no_store_are_refused_by_every_command(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the remedy and without the secret."""
    said = refused("asset", "put", "files.py", "--assets", f"s3://me:{CANARY}@bucket/x")
    assert "--assets: no user or password belongs in the URL" in said
    assert CANARY not in said
    assert "memory: would lose all content" in refused("asset", "put", "files.py", "--assets", "memory:")
    assert "FARANDOLE_ASSETS_ENDPOINT is set, but assets lie in the folder" in refused(
        "asset", "put", "files.py", "--assets", "folder"
    )
    monkeypatch.setenv("FARANDOLE_ASSETS_SECERT", CANARY)
    said = refused("asset", "put", "files.py")
    assert "FARANDOLE_ASSETS_SECERT is no setting; did you mean FARANDOLE_ASSETS_SECRET?" in said
    assert CANARY not in said


def test_the_real_demonstration_runs_on_a_bucket(rig: ObjectRig, tmp_path: Path) -> None:
    """Ten services in ten processes, unchanged: the product is complete and valid, and no folder of assets is made."""
    ran = demo(tmp_path / "demo", "--json", "--assets", rig.url, FARANDOLE_ASSET_CACHE=str(tmp_path / "copies"))
    assert ran.code == 0, ran.err
    shown = json.loads(ran.out)
    assert (shown["status"], shown["valid"], shown["tiles"]) == ("complete", True, 18)
    assert list(problems(Path(shown["product"]))) == []
    assert len(rig.contents()) > 18
    assert not (tmp_path / "demo" / "assets").exists()
