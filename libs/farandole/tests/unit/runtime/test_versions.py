"""A step that takes two versions of a type handles both, in the order of their keys, from one topic."""

import pytest

from farandole.events.event import Event
from farandole.runtime.declare import Service
from farandole.testing import Rehearsal


class Came(Event, type="versions.came", key="k"):
    k: str
    pounds: int


class CameTwo(Event, type="versions.came", version=2, key="k"):
    k: str
    pence: int


class CutOff(Event, type="versions.cut", key="k"):
    k: str
    price: int


class CutTwo(Event, type="versions.cut", version=2, key="k"):
    k: str
    price: str


class Told(Event, type="versions.told", key="k", final=True):
    k: str
    pence: list[int]


class Asked(Event, type="versions.asked", key="k"):
    k: str


def _pence(came: Came | CameTwo) -> int:
    return came.pence if isinstance(came, CameTwo) else 100 * came.pounds


single = Service("single", accepts=[Came, CameTwo])
apart = Service("apart", accepts=[Came, CameTwo])
narrow = Service("narrow", accepts=[Came, CameTwo])
cutting = Service("cutting", accepts=[Asked])
telling = Service("telling")


@single.step
async def tell(came: Came | CameTwo) -> Told:
    return Told(k=came.k, pence=[_pence(came)])


@apart.step(runs="process")
def count(came: Came | CameTwo) -> Told:
    return Told(k=came.k, pence=[_pence(came)])


@narrow.step(name="tell")
async def tell_one(came: Came) -> Told:
    return Told(k=came.k, pence=[_pence(came)])


@cutting.step
async def cut(asked: Asked) -> tuple[list[CutOff], list[CutTwo]]:
    return [CutOff(k=asked.k, price=1)], [CutTwo(k=asked.k, price="2")]


@telling.step
async def gather(cuts: list[CutOff | CutTwo]) -> Told:
    return Told(k=cuts[0].k, pence=[int(one.price) for one in cuts])


MIXED = [Came(k="a", pounds=1), CameTwo(k="a", pence=2), Came(k="a", pounds=3), CameTwo(k="a", pence=4)]
IN_PENCE = [[100], [2], [300], [4]]


@pytest.mark.parametrize("service", [single, apart], ids=lambda service: service.name)
def test_both_are_handled_in_the_order_of_their_key(service: Service) -> None:
    """On the loop, and where the call is told to another process."""
    with Rehearsal(service) as r:
        published = [r.publish(event) for event in MIXED]
        r.settle()
        assert [told.pence for told in r.events(Told)] == IN_PENCE
        assert {r.status(one).summary.status for one in published} == {"complete"}
        (step,) = service.steps
        assert r.history().events.get(f"{service.name}.{step}.inbox") is None


def test_a_fan_in_gathers_members_of_both() -> None:
    """Whatever version a member has, it fills its slot."""
    with Rehearsal(cutting, telling) as r:
        published = r.publish(Asked(k="a"))
        r.settle()
        assert sorted(told.pence for told in r.events(Told)) == [[1], [2]]
        assert r.status(published).summary.status == "complete"


def test_a_version_that_nobody_has_a_class_for_is_set_aside_and_those_behind_it_wait() -> None:
    """With the versions that are known; a key that is not touched goes on."""
    with Rehearsal(narrow) as r:
        for event in (*MIXED, Came(k="b", pounds=5)):
            r.publish(event)
        r.settle()
        assert [told.pence for told in r.events(Told)] == [[100], [500]]
        (letter,) = r.dead_letters()
        assert letter.reason == "unknown-version"
        assert letter.error.endswith("versions.came is v2; this step knows v1")
