"""A planted secret appears nowhere (I15): not in logs, facts, metrics, spans, tables, probes or answers.

Every place in which it could have been is shown to hold what stood beside it, so that none of this passes in vain.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.project import Project, end, until
from tests.cli.test_probes import addresses
from tests.observe.traced.receiver import Receiver, receiving
from tests.support.prometheus import fetch

pytestmark = pytest.mark.e2e
CANARY = "canary-4b1d"
MARKER = "marker-8c2e"
LEAKS = """
import logging
import os
from pathlib import Path

import structlog
from pydantic import SecretStr
from sqlalchemy import Column, MetaData, Table, Text

from farandole import Event, Retry, Service, Settings
from farandole_observe import Projection


class Vault(Settings, env_prefix="VAULT_"):
    token: SecretStr
    filed: SecretStr
    password: str
    url: str


class Asked(Event, type="asked", key="job"):
    job: str


class Answered(Event, type="answered", key="job", final=True):
    job: str
    by: str


class Refused(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.login = text


service = Service("leaks", accepts=[Asked])
once_more = Retry(attempts=2, delay="10ms")


def leak(how: str, vault: Vault) -> None:
    bucket = Path(os.environ["FARANDOLE_ASSETS_SECRET_FILE"]).read_text().strip()
    known = f"{vault.token.get_secret_value()} {vault.filed.get_secret_value()} {vault.password} {vault.url} {bucket}"
    log, plain = structlog.get_logger("leaks"), logging.getLogger("leaks.plain")
    log.warning(f"{how} marker-8c2e-structlog {known}", said=known, deep=[{"known": known}], vault=vault)
    plain.warning("%s marker-8c2e-logging %s", how, known)
    try:
        raise Refused(f"{how} marker-8c2e-inner login with {known}")
    except Refused as inner:
        log.exception("marker-8c2e-exception", error=inner)
        plain.exception("marker-8c2e-plain-exception")
        raise Refused(f"{how} marker-8c2e-raised login with {known}") from inner


@service.step(retry=once_more)
async def in_loop(asked: Asked, settings: Vault) -> Answered:
    leak("loop", settings)


@service.step(retry=once_more)
def in_thread(asked: Asked, settings: Vault) -> Answered:
    leak("thread", settings)


@service.step(retry=once_more, runs="process")
def in_process(asked: Asked, settings: Vault) -> Answered:
    leak("process", settings)


@service.step
async def well(asked: Asked, settings: Vault) -> Answered:
    structlog.get_logger().info("marker-8c2e-well", where=settings.url, connection={"password": settings.password})
    return Answered(job=asked.job, by="marker-8c2e-output")


columns = Column("job", Text, primary_key=True), Column("by", Text)
answers = Projection(
    "answers",
    of=[Answered],
    table=Table("answers", MetaData(), *columns),
    key=lambda found: found.event.job,
    fold=lambda row, found: {"by": found.event.by},
)

closed = Service("closed", accepts=[Asked])


@closed.resource
def door(settings: Vault):
    raise RuntimeError(f"marker-8c2e-door login with {settings.token.get_secret_value()} {settings.url}")
    yield


@closed.step
async def pass_through(asked: Asked, door: object) -> Answered: ...
"""
STEPS = ("in-loop", "in-thread", "in-process")


class Scene(NamedTuple):
    """A folder with the services that leak, and who takes their spans."""

    project: Project
    spans: Receiver


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The secrets come from the environment and from files, which lie outside; one is that of a bucket."""
    (folder := tmp_path / "project").mkdir()
    project = Project.make(folder)
    (folder / "leaks.py").write_text(LEAKS)
    (tmp_path / "secret").write_text(f"{CANARY}-filed\n")
    given = {
        "VAULT_TOKEN": f"{CANARY}-'quoted\"\\ätoken",  # spelt otherwise in JSON, in a Python literal and in a URL
        "VAULT_FILED_FILE": str(tmp_path / "secret"),
        "VAULT_PASSWORD": f"{CANARY}-password",
        "VAULT_URL": f"https://me:{CANARY}-login@example.org/x",
        "FARANDOLE_ASSETS_KEY": "key",
        "FARANDOLE_ASSETS_SECRET_FILE": str(tmp_path / "bucket"),
    }
    (tmp_path / "bucket").write_text(f"{CANARY}-bucket\n")
    monkeypatch.setattr("tests.cli.project.environment", lambda: dict(os.environ))
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with receiving(tmp_path / "spans.txt") as spans:
        (folder / "farandole.toml").write_text(
            f'log = "sqlite:///var/log.db"\nlog_level = "DEBUG"\ntraces = "{spans.grpc}"\nassets = "s3://eo/x"\n'
        )
        yield Scene(project, spans)


@contextmanager
def _running(project: Project) -> Iterator[None]:
    run = project.start("run", "leaks:service", "--metrics", "0", name="run")
    try:
        project.await_text("run.err", '"event": "started"')
        observing = project.start("observe", "--metrics", "0")
        try:
            project.await_text("observe.err", "metrics and probes are served at")
            yield
        finally:
            end(observing)
    finally:
        end(run)


def test_a_planted_secret_appears_nowhere(scene: Scene) -> None:
    """Steps of every kind log it and fail with it, are tried again, and end as dead letters."""
    project, said = scene.project, dict[str, str]()
    with _running(project):
        done = project.main("publish", "asked", "--data", '{"job": "a"}', "--id", "a")
        assert done.returncode == 0, done.stderr
        until(lambda: len(_dead_letters(project)) == len(STEPS))
        until(lambda: json.dumps(scene.spans.spans()).count(f"{MARKER}-raised") >= 2 * len(STEPS))
        said |= _served(project)
        said |= _answers(project)
    said["spans"] = json.dumps(scene.spans.spans(), ensure_ascii=False)
    files = {path.name: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    for name in ("leaks.py", "farandole.toml"):
        del files[name]
    _holds_what_stood_beside(files, said)
    for name, text in said.items():
        assert CANARY not in text, f"{name}: {_around(text)}"
    for name, data in files.items():
        assert CANARY.encode() not in data, f"{name}: {_around(data.decode('utf-8', 'replace'))}"


def _served(project: Project) -> dict[str, str]:
    (service,), (projector,) = (addresses(project.folder / f"{name}.err") for name in ("run", "observe"))
    found = {}
    for at in (service, projector):
        for page in ("metrics", "livez", "readyz"):
            found[f"{at}/{page}"] = fetch(f"http://{at}/{page}")[1]
    return found


def _answers(project: Project) -> dict[str, str]:
    """What the commands say, to people and to machines."""
    commands = [
        ("status", "asked:a", "--json"),
        ("status", "asked:a"),
        ("status", "asked:a", "--rebuild", "--json"),
        ("explain", "asked:a", "--json"),
        ("explain", "asked:a"),
        ("timeline", "asked:a", "--json"),
        ("lineage", "asked:a", "--json"),
        ("lineage", "asked:a"),
        ("lineage", "asked:a", "--openlineage"),
        ("events", "asked:a", "--json"),
        ("stuck", "--json"),
        ("topology", "--json"),
        ("topology", "--as", "asyncapi"),
        ("top", "--json"),
        ("top",),
        ("projection", "show", "leaks:answers", "--json"),
        ("projection", "show", "leaks:answers"),
        ("ps", "--json"),
        ("ps",),
        ("dlq", "list", "--json"),
        ("dlq", "list"),
        *(("dlq", "show", letter) for letter in _dead_letters(project)),
        ("doctor", "--json"),
        ("config", "--json"),
        ("config",),
    ]
    found = {}
    for command in commands:
        done = project.farandole(*command)
        assert done.returncode in (0, 1), (command, done.stderr)
        found[" ".join(command)] = done.stdout + done.stderr
    return found


def _dead_letters(project: Project) -> list[str]:
    done = project.main("dlq", "list", "--json")
    return [one["delivery"] for one in json.loads(done.stdout)["dead_letters"]] if done.returncode == 0 else []


def _holds_what_stood_beside(files: Mapping[str, bytes], said: Mapping[str, str]) -> None:
    """Each place could have told the secret: it tells the words around it."""
    logged = files["run.err"].decode()
    for what in ("structlog", "logging", "inner", "exception", "plain-exception", "raised", "well"):
        assert f"{MARKER}-{what}" in logged, what
    for how in ("loop", "thread", "process"):
        assert f"{how} {MARKER}-raised login with ***" in logged, how
    kept = b"".join(data for name, data in files.items() if name.startswith("log.db"))
    for how in ("loop", "thread", "process"):
        assert f"{how} {MARKER}-raised login with ***".encode() in kept, how
    tables = b"".join(data for name, data in files.items() if ".db" in name and not name.startswith("log.db"))
    assert f"{MARKER}-raised login with ***".encode() in tables
    for name in ("status asked:a --json", "explain asked:a --json", "dlq list --json", "spans"):
        assert f"{MARKER}-raised" in said[name], name
    assert f"{MARKER}-raised" in said["lineage asked:a --openlineage"]
    for name in ("projection show leaks:answers --json", "projection show leaks:answers"):
        assert f"{MARKER}-output" in said[name], name
    for name in ("topology --as asyncapi", "top --json", "top", "ps --json"):
        assert "leaks" in said[name], name
    assert '"password": "***"' in said["topology --json"] or "***" in said["lineage asked:a --json"]


def _around(text: str) -> str:
    at = text.index(CANARY)
    return text[max(0, at - 200) : at + 100]


@pytest.mark.parametrize("traceback", [False, True])
def test_a_service_that_cannot_start_says_why_without_the_secret(
    scene: Scene, traceback: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a resource raised is told; with the traceback as well, to whoever asks for it."""
    project = scene.project
    if traceback:
        monkeypatch.setattr("tests.cli.project.environment", lambda: {**os.environ, "FARANDOLE_TRACEBACK": "1"})
    done = project.farandole("run", "leaks:closed")
    assert done.returncode != 0
    assert f"{MARKER}-door login with ***" in done.stderr
    assert CANARY not in done.stdout + done.stderr, _around(done.stdout + done.stderr)
    assert ("Traceback" in done.stderr) == traceback
