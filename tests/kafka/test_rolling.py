"""A new version of a service rolls in under load, replica by replica: nothing is lost, twice or out of order."""

import asyncio
import json
import random
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farandole.cli import main
from farandole.client import AsyncClient, DeadLetter
from scripts.kafka import Cluster
from tests.chaos_kafka.checker import FIRST
from tests.chaos_kafka.publisher import Publisher
from tests.kafka.serving import serving
from tests.kafka.upgraded import pricing_two, shipping, shipping_both, taking
from tests.support.replicas import Replicas
from tests.support.stage import Stage

ROOT = Path(__file__).parents[2]
MODULE = "tests.kafka.upgraded"
BEFORE = {name: f"{MODULE}:{name}" for name in ("taking", "pricing", "shipping")}
WITH_A_FIELD, THAT_BREAKS = f"{MODULE}:pricing_more", f"{MODULE}:pricing_two"
TAKES_BOTH = f"{MODULE}:shipping_both"
SOME = 40  # orders that have to be taken between two things that happen
PATIENCE = 300.0  # seconds, on a machine that does much else
ROLLED = ["order.priced.v1", "order.priced.v2"]


class Place:
    """A log of its own on the shared Kafka, and a folder for what is said and acknowledged."""

    def __init__(self, kafka: Cluster, folder: Path) -> None:
        self.bootstrap, self.namespace = kafka.bootstrap, f"u{uuid.uuid4().hex[:8]}"
        url = f"kafka://{self.bootstrap}/{self.namespace}?lease=3"
        self.stage = Stage(folder, [], {"PYTHONPATH": str(ROOT)}, url=url)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[Publisher]:
        """Orders come all the while; at the end each of them has to end, too."""
        publisher, stop = Publisher(self.stage, self.bootstrap, self.namespace, random.Random(1)), asyncio.Event()
        try:
            async with AsyncClient(self.stage.url) as client:
                running = asyncio.create_task(publisher.run(client, stop))
                yield publisher
                stop.set()
                await running
            assert await publisher.ended(PATIENCE) == 0
        finally:
            publisher.close()

    def verdict(self) -> Any:
        """Of the checker, in a process of its own."""
        argv = ["-m", "tests.kafka.upgrade_checker", self.bootstrap, self.namespace, str(self.stage.acks)]
        done = subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert (found["findings"], done.returncode) == ({kind: [] for kind in found["findings"]}, 0)
        assert found["seen"]["of_farandole"] == []
        return found["seen"]


@pytest.mark.slow
async def test_a_new_field_and_then_a_new_version_roll_in_under_load(kafka: Cluster, tmp_path: Path) -> None:
    """Three services of two replicas: the middle one is upgraded, then the last, then the middle one again."""
    place = Place(kafka, tmp_path)
    with Replicas(tmp_path, place.stage.env) as replicas:
        for service, target in BEFORE.items():
            replicas.start(service, target)
        await asyncio.to_thread(replicas.ready)
        async with place.load() as publisher:
            await more(publisher)
            for service, target, most in (
                ("pricing", WITH_A_FIELD, 2),
                ("shipping", TAKES_BOTH, 2),
                ("pricing", THAT_BREAKS, 1),
                ("pricing", THAT_BREAKS, 1),
            ):
                await asyncio.to_thread(replicas.roll, service, target, most=most)
                await more(publisher)
        await asyncio.to_thread(replicas.send_away)
    seen = await asyncio.to_thread(place.verdict)
    assert seen["dead"] == 0
    found = seen["versions"]
    assert sorted(found["published"]) == ROLLED
    assert found["old_after_new"] > 0
    assert 0 < found["with_the_new_field"] < found["published"]["order.priced.v1"]
    assert found["ended"] == {"v1": found["published"]["order.priced.v1"], "v2": found["published"]["order.priced.v2"]}
    ran = {"taking 1.0", "pricing 1.0", "pricing 1.1", "pricing 2.0", "shipping 1.0", "shipping 2.0"}
    assert set(seen["handled_by"]) == ran
    await asyncio.to_thread(all_complete, place, seen["acknowledged"])


def all_complete(place: Place, count: int) -> None:
    """As `status` has it, and the lineage of the first and of the last order names who made them."""
    told = place.stage.asked("status", "--limit", "100000")
    assert [w["status"] for w in told["workflows"]] == ["complete"] * count
    for order, version, wire in ((0, "1.0", ROLLED[0]), (count - 1, "2.0", ROLLED[1])):
        lineage = place.stage.asked("lineage", f"order-{order}")
        made = {making["step"]: making["attempts"][-1]["version"] for making in lineage["makings"]}
        assert made["pricing/price"] == version
        assert wire in [event["type"] for event in lineage["events"]]


@pytest.mark.slow
async def test_a_version_that_comes_too_soon_waits_for_who_knows_it(kafka: Cluster, tmp_path: Path) -> None:
    """Its events are set aside, later ones of their keys wait; after the upgrade all go on."""
    place = Place(kafka, tmp_path)
    keys = [f"k{n}" for n in range(3)]
    around = {f"{MODULE}:taking": taking, THAT_BREAKS: pricing_two}
    async with AsyncClient(place.stage.url) as client:
        async with serving(place.stage.url, around | {BEFORE["shipping"]: shipping}):
            for number in range(12):
                data = {"key": keys[number % 3], "number": number}
                assert await place.stage.publish(client, FIRST, data, f"order-{number}")
            letters = await dead(client, len(keys))
        assert {letter.reason for letter in letters} == {"unknown-version"}
        assert sorted(letter.key or "" for letter in letters) == keys
        async with serving(place.stage.url, around | {TAKES_BOTH: shipping_both}):
            await client.redrive(*(letter.delivery for letter in letters))
            await complete(client, place.stage.published)
    seen = await asyncio.to_thread(place.verdict)
    assert seen["versions"]["ended"] == {"v2": 12}
    assert seen["dead"] == len(keys)


async def dead(client: AsyncClient, count: int) -> list[DeadLetter]:
    """The dead letters, once there are so many. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while len(letters := await client.dead()) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)
    return letters


async def complete(client: AsyncClient, workflows: list[str]) -> None:
    """Return once they are, those that stand dead now too. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        for workflow in workflows:
            while (await client.status(workflow)).status != "complete":  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)


async def more(publisher: Publisher) -> None:
    """Return once some more orders were taken. Raises TimeoutError."""
    wanted = publisher.accepted + SOME
    async with asyncio.timeout(PATIENCE):
        while publisher.accepted < wanted:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


# -- what is found out before anything rolls -----------------------------------------------------------------


@pytest.fixture
def schemas(tmp_path: Path) -> list[str]:
    """The options that name a folder with the contracts of the first version."""
    options = ["--schemas", str(tmp_path / "schemas")]
    assert main(["schemas", "export", *BEFORE.values(), *options]) == 0
    return options


Capture = pytest.CaptureFixture[str]


def test_the_gate_lets_an_optional_field_pass(schemas: list[str], capsys: Capture) -> None:
    """It is a revision, and who knows the first one alone goes on."""
    upgraded = [*(BEFORE | {"pricing": WITH_A_FIELD}).values()]
    assert main(["schemas", "export", *upgraded, *schemas]) == 0
    assert main(["schemas", "check", *upgraded, *schemas]) == 0
    assert "order.priced v1.1" in capsys.readouterr().out


def test_the_gate_names_a_break_that_has_no_version_of_its_own(schemas: list[str], capsys: Capture) -> None:
    """Type, field, and what to do; nothing is written."""
    broken = [*(BEFORE | {"pricing": f"{MODULE}:pricing_broken"}).values()]
    for command in ("export", "check"):
        assert main(["schemas", command, *broken, *schemas]) == 2
        said = capsys.readouterr().err
        assert "order.priced v1 does not fit" in said
        assert "euros" in said
        assert "declare version=2" in said


def test_the_gate_wants_who_takes_a_new_version_before_it_rolls(schemas: list[str], capsys: Capture) -> None:
    """The consumer that knows the first one only is named; one that takes both passes."""
    too_soon = [*(BEFORE | {"pricing": THAT_BREAKS}).values()]
    assert main(["schemas", "export", *too_soon, *schemas]) == 0
    assert main(["schemas", "check", *too_soon, *schemas]) == 2
    said = capsys.readouterr().err
    assert "order.priced v2.0: there is no view of this version, only of v1 (shipping reads" in said
    upgraded = [*(BEFORE | {"pricing": THAT_BREAKS, "shipping": TAKES_BOTH}).values()]
    assert main(["schemas", "check", *upgraded, *schemas]) == 0
