"""`lineage` of real services' products: their assets, and the settings that were in force when each was made."""

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from farandole import Asset, AsyncClient, Event, Service, Settings
from farandole.cli import main
from farandole.cli.codes import Code
from farandole.engines.open import open_log
from farandole.events.asset import asset_uri
from farandole.runtime.host import Host, Options


class RawGiven(Event, type="raw.given", key="name"):
    name: str
    raw: Asset


class PieceCut(Event, type="piece.cut", key="name"):
    name: str
    piece: Asset


class WholeMade(Event, type="whole.made", key="name", final=True):
    name: str
    whole: Asset
    pieces: list[Asset]


class Knife(Settings, env_prefix="KNIFE_"):
    pieces: int = 2


def _asset(text: str) -> Asset:
    return Asset(uri=asset_uri(sha256(text.encode()).hexdigest()), size=len(text), media_type="text/plain")


def _bench() -> Service:
    service = Service("bench", version="1.0", accepts=[RawGiven])

    @service.step
    def cut(raw: RawGiven, knife: Knife) -> list[PieceCut]:
        names = [f"{raw.name}/{n}" for n in range(knife.pieces)]
        return [PieceCut(name=name, piece=_asset(name)) for name in names]

    @service.step
    def glue(pieces: list[PieceCut]) -> WholeMade:
        name = pieces[0].name.partition("/")[0]
        return WholeMade(name=name, whole=_asset(f"whole {name}"), pieces=[p.piece for p in pieces])

    return service


async def _made(url: str, name: str) -> str:
    """Serve until one product is made; its workflow."""
    log = await open_log(url)
    try:
        stop, started = asyncio.Event(), asyncio.Event()
        host = Host(_bench(), log, options=Options(inline=True, worker=f"worker-of-{name}"))
        serving = asyncio.create_task(host.run(stop, started))
        await started.wait()
        async with AsyncClient(url) as client:
            given = await client.publish(RawGiven(name=name, raw=_asset(f"raw {name}")), id=name, source="test")
            state = await client.wait(given.workflow, timeout=30.0)
        stop.set()
        await serving
        assert state.status == "complete"
        return given.workflow
    finally:
        await log.close()


Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def products(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """A log in which `first` and `second` were made, with another knife each; its URL, and the workflows by name."""
    url = f"sqlite:///{tmp_path_factory.mktemp('products')}/log.db"
    made = {}
    with pytest.MonkeyPatch.context() as environment:
        for name, pieces in (("first", "2"), ("second", "3")):
            environment.setenv("KNIFE_PIECES", pieces)
            made[name] = asyncio.run(_made(url, name))
    return url, made


@pytest.fixture
def workflows(products: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The workflows by name; commands ask the log that they are in."""
    monkeypatch.setenv("FARANDOLE_LOG", products[0])
    return products[1]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Ask:
    """What a command prints that has to succeed; with `--json` as JSON."""

    def said(*args: str) -> Any:
        assert main(list(args)) == 0, capsys.readouterr().err
        text = capsys.readouterr().out
        return json.loads(text) if "--json" in args else text

    return said


def test_a_product_names_its_assets_and_the_settings_of_the_time_when_it_was_made(
    workflows: dict[str, str], said: Ask
) -> None:
    """Though the same version has been set otherwise since."""
    for name, pieces in (("first", 2), ("second", 3)):
        found = said("lineage", workflows[name], "--json")
        assert [e["type"] for e in found["events"]] == ["raw.given.v1", *["piece.cut.v1"] * pieces, "whole.made.v1"]
        assert [e["role"] for e in found["events"]] == ["used"] * (pieces + 1) + ["product"]
        product = found["events"][-1]
        assert product["assets"][0] == {**_asset(f"whole {name}").model_dump()}
        assert {a["uri"] for a in product["assets"][1:]} == {_asset(f"{name}/{n}").uri for n in range(pieces)}
        glue = found["makings"][product["by"]]
        assert [found["events"][n]["key"] for n in glue["took"]] == [f"{name}/{n}" for n in range(pieces)]
        assert glue["attempts"][0]["worker"] == f"worker-of-{name}"
        cut = found["makings"][found["events"][1]["by"]]
        settings = found["settings"][cut["settings"]]
        assert (settings["step"], settings["version"]) == ("bench/cut", "1.0")
        assert settings["configured"] == {"Knife": {"pieces": pieces}}
    text = said("lineage", workflows["first"])
    assert "piece.cut.v1 ×2" in text
    assert "test, as first" in text
    assert "bench/cut 1.0 was configured with Knife.pieces=2" in text


def test_the_json_of_a_lineage_is_frozen(workflows: dict[str, str], said: Ask) -> None:
    """Fields may be added; none may go or change its meaning."""
    found = said("lineage", workflows["first"], "--json")
    assert set(found) == {"workflow", "status", "truncated", "events", "makings", "settings", "age", "gaps"}
    assert set(found["events"][0]) == {
        "number", "source", "id", "type", "topic", "key", "time", "absent", "pending", "role", "by", "taken_by",
        "assets",
    }  # fmt: skip
    assert set(found["events"][0]["taken_by"][0]) == {"step", "state"}
    assert set(found["events"][0]["assets"][0]) == {"uri", "size", "media_type"}
    assert set(found["makings"][0]) == {
        "number", "step", "delivery", "group", "generation", "state", "took", "gave", "attempts", "settings",
    }  # fmt: skip
    assert set(found["makings"][0]["attempts"][0]) == {
        "attempt", "version", "worker", "started", "finished", "ending", "error",
    }  # fmt: skip
    assert set(found["settings"][0]) == {"number", "step", "version", "declared", "configured"}
    assert set(found["settings"][0]["declared"]) == {"runs", "order_by", "timeout", "attempts"}
    of_asset = said("lineage", _asset("first/0").uri, "--json")
    assert set(of_asset) == {"asset", "workflows", "age", "gaps"}
    assert set(of_asset["workflows"][0]) == (set(found) - {"age", "gaps"}) | {"carriers", "origins"}


def test_an_asset_leads_to_what_it_was_made_of_and_with_down_to_what_was_made_of_it(
    workflows: dict[str, str], said: Ask
) -> None:
    """Its origin is the event that carries it first; the product only hands it on."""
    piece = _asset("second/1").uri
    (up,) = said("lineage", piece[:22], "--json")["workflows"]
    assert up["workflow"] == workflows["second"]
    assert [e["type"] for e in up["events"]] == ["raw.given.v1", "piece.cut.v1"]
    (origin,) = up["origins"]
    assert up["events"][-1]["number"] == origin
    assert len(up["carriers"]) == 2
    (down,) = said("lineage", piece, "--down", "--json", "--rebuild")["workflows"]
    assert [e["type"] for e in down["events"]] == ["raw.given.v1", "piece.cut.v1", "whole.made.v1"]
    assert "of which was made:" in said("lineage", piece, "--down")
    (raw,) = said("lineage", _asset("raw first").uri, "--json", "--since", "1h ago")["workflows"]
    assert [e["type"] for e in raw["events"]] == ["raw.given.v1"]


def test_runs_as_openlineage_are_the_same_whether_a_workflow_or_an_asset_is_asked_for(
    workflows: dict[str, str], said: Ask
) -> None:
    """An asset gives some of the workflow's runs; datasets are assets by name."""
    whole = said("lineage", workflows["second"], "--openlineage").splitlines()
    runs = [json.loads(one) for one in whole]
    assert len(runs) == 2 + 2 * 2
    assert {"namespace": "asset", "name": _asset("whole second").uri[6:]} in runs[-1]["outputs"]
    piece = said("lineage", _asset("second/1").uri, "--down", "--openlineage").splitlines()
    of_steps = {json.dumps(run) for run in runs if run["job"]["name"] == "bench/glue"}
    assert {json.dumps(json.loads(one)) for one in piece} >= of_steps


def test_what_left_the_log_for_the_archive_is_in_the_lineage_and_what_is_gone_for_good_is_said(
    workflows: dict[str, str], said: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two copies of the log, one with its archive and one without."""
    piece = _asset("first/0").uri
    before = [said("lineage", *what, "--rebuild", "--json") for what in ((workflows["first"],), (piece,))]
    for name in ("kept", "gone"):
        said("log", "backup", str(tmp_path / f"{name}.db"))
    prune = ("log", "prune", "--keep", "0s", "--yes", "--json")
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path / 'gone.db'}")
    said("status", "--json")  # makes the tables, which remember
    assert said(*prune, "--no-archive")["pruned"]
    gone = said("lineage", workflows["first"], "--json")
    assert {event["assets"] is None for event in gone["events"]} == {True}
    assert "the log has dropped the data" in said("lineage", workflows["first"])
    assert main(["lineage", piece]) == Code.NOT_FOUND
    monkeypatch.setenv("FARANDOLE_LOG", f"sqlite:///{tmp_path / 'kept.db'}")
    monkeypatch.setenv("FARANDOLE_ARCHIVE", str(tmp_path / "archive"))
    assert said(*prune)["pruned"]
    after = [said("lineage", *what, "--rebuild", "--json") for what in ((workflows["first"],), (piece,))]
    for one, other in zip(before, after, strict=True):
        assert one.pop("age") is not None
        assert other.pop("age") is not None
        assert one == other


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("asset:sha256/1234567", Code.BAD_INPUT, "8 hex digits are enough"),
        ("asset:sha256/ABCDEF0123", Code.BAD_INPUT, "names no asset"),
        ("asset:md5/12345678", Code.BAD_INPUT, "names no asset"),
        (asset_uri("0" * 64), Code.NOT_FOUND, "no event in the log carries"),
        ("nobody", Code.NOT_FOUND, "no workflow 'nobody'"),
    ],
)
def test_what_is_no_asset_or_not_there_is_refused_with_the_remedy(
    workflows: dict[str, str], capsys: pytest.CaptureFixture[str], name: str, code: Code, why: str
) -> None:
    assert main(["lineage", name]) == code
    assert why in capsys.readouterr().err


def test_topology_as_asyncapi_is_of_all_services_or_of_one(
    workflows: dict[str, str], said: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--service` means nothing elsewhere."""
    found = json.loads(said("topology", "--as", "asyncapi", "--service", "bench"))
    assert (found["asyncapi"], found["info"]["version"]) == ("3.0.0", "1.0")
    assert found["channels"]["piece.cut"]["bindings"]["kafka"]["partitions"] == 4
    assert said("topology", "--as", "asyncapi", "--json")["info"]["title"] == "farandole"
    assert main(["topology", "--service", "bench"]) == Code.BAD_INPUT
    assert "add --as asyncapi" in capsys.readouterr().err
