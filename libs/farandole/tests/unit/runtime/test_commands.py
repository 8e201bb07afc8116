"""Redrive and discard: one effect a death, whatever is said again, wherever the dead letter stands."""

import pytest

from farandole.events.event import Event
from farandole.runtime.context import Context
from farandole.runtime.declare import Service
from farandole.runtime.retry import Retry
from farandole.testing import Faults, Rehearsal, check


class Whole(Event, type="commands.whole", key="k"):
    k: str
    size: int = 3


class Part(Event, type="commands.part", key="k"):
    k: str


class Worked(Event, type="commands.worked", key="k"):
    k: str
    n: int = 0


class WorkedStrictly(Event, type="commands.worked", key="k"):
    """What the gathering step sees of it: it refuses what the worker lets pass."""

    k: str
    n: int


class Gathered(Event, type="commands.gathered", key="k", final=True):
    k: str
    got: list[str]
    absent: list[int]


service = Service("commands", accepts=[Whole])


@service.step
def split(whole: Whole) -> list[Part]:
    return [Part(k=f"{whole.k}{n}") for n in range(whole.size)]


@service.step(retry=Retry(attempts=2, delay="1s"))
def work(part: Part, ctx: Context) -> Worked:
    if part.k.endswith("1") and ctx.attempt <= 4:
        raise OSError("not before the second redrive")
    return Worked(k=part.k)


@service.step
def gather(parts: list[Worked], ctx: Context) -> Gathered:
    return Gathered(k="g", got=[part.k for part in parts], absent=list(ctx.absent))


def test_a_group_waits_for_its_dead_member_until_it_is_redriven() -> None:
    """It dies twice, is told of once a death, and in the end the group is whole."""
    with Rehearsal(service) as r:
        r.publish(Whole(k="w"))
        r.settle()
        for attempt in (2, 4):
            (letter,) = r.dead_letters()
            assert (letter.attempt, r.events(Gathered)) == (attempt, [])
            r.redrive(letter)
            r.settle()
        assert r.events(Gathered) == [Gathered(k="g", got=["w0", "w1", "w2"], absent=[])]
        assert len([one for one in r.absences() if one.absence.why.pending]) == 1
        assert check(r.history()) == []


def test_a_discarded_member_is_missing_and_listed() -> None:
    """No missing chunk passes for success."""
    with Rehearsal(service) as r:
        published = r.publish(Whole(k="w"))
        r.settle()
        r.discard()
        r.settle()
        assert r.events(Gathered) == [Gathered(k="g", got=["w0", "w2"], absent=[1])]
        assert r.status(published).status == "complete"
        assert check(r.history()) == []


@pytest.mark.parametrize("seed", range(12))
def test_words_that_come_again_change_nothing(seed: int) -> None:
    """Each word twice or more, crashes between them: one effect a death."""
    with Rehearsal(service, seed=seed, faults=Faults(crashes=3, duplicates=1.0, spread=120)) as r:
        r.publish(Whole(k="w"))
        r.settle()
        for _ in range(3):
            letters = r.dead_letters()
            if letters:
                r.redrive(*letters)
                r.redrive(*letters)
                r.settle()
        r.calm()
        r.settle()
        assert r.events(Gathered) == [Gathered(k="g", got=["w0", "w1", "w2"], absent=[])]
        assert check(r.history()) == []


def test_a_word_about_nothing_changes_nothing() -> None:
    """A letter that stands no more."""
    with Rehearsal(service) as r:
        r.publish(Whole(k="w"))
        r.settle()
        (letter,) = r.dead_letters()
        r.discard(letter)
        r.settle()
        before = len(r.facts())
        r.discard(letter)
        r.redrive(letter)
        r.settle()
        assert len(r.facts()) == before


class Number(Event, type="commands.number", key="k"):
    k: str
    n: int


class Doubled(Event, type="commands.doubled", key="k", final=True):
    k: str
    n: int


lonely = Service("lonely", accepts=[Number])


@lonely.step(retry=Retry(attempts=1))
def double(number: Number, ctx: Context) -> Doubled:
    if ctx.attempt == 1:
        raise OSError("only redriven")
    return Doubled(k=number.k, n=2 * number.n)


@pytest.mark.parametrize("word", ["redrive", "discard"])
def test_a_word_counts_after_a_crash_though_its_offset_is_that_of_the_letter(word: str) -> None:
    """The step's inbox and the topic beside it both count from 0: their rows do not get in each other's way."""
    with Rehearsal(lonely, seed=None, partitions=1) as r:
        r.publish(Number(k="a", n=1))
        r.settle()
        (letter,) = r.dead_letters()
        assert letter.place is not None
        assert letter.place[2] == 0
        r.kill("lonely")
        (r.redrive if word == "redrive" else r.discard)(letter)
        r.restart("lonely")
        r.settle()
        r.kill("lonely")
        r.restart("lonely")
        r.settle()
        kinds = [fact.fact for fact in r.facts()]
        assert kinds == (["dead", "redriven", "completed"] if word == "redrive" else ["dead", "discarded"])
        assert check(r.history()) == []


class Claim(Event, type="commands.claim", key="k"):
    k: str
    n: int | str


class Strict(Event, type="commands.claim", key="k"):
    k: str
    n: int


def test_a_member_that_dies_at_the_gathering_step_and_is_discarded_is_an_absence_there() -> None:
    """Its discard closes the group, and publishes nothing in the scope of the group that ends there."""

    class Box(Event, type="commands.box", key="k"):
        k: str

    class Sum(Event, type="commands.sum", key="k"):
        k: str
        total: int
        absent: list[int]

    class Report(Event, type="commands.report", key="k", final=True):
        k: str
        sums: list[int]

    class Shelf(Event, type="commands.shelf", key="k"):
        k: str

    loose, strict = Service("loose", accepts=[Shelf]), Service("strict")

    @loose.step
    def boxes(shelf: Shelf) -> list[Box]:
        return [Box(k="x"), Box(k="y")]

    @loose.step
    def claims(box: Box) -> list[Claim]:
        return [Claim(k=box.k, n=1), Claim(k=box.k, n="many" if box.k == "y" else 2), Claim(k=box.k, n=4)]

    @strict.step
    def add(claims: list[Strict], ctx: Context) -> Sum:
        return Sum(k=claims[0].k, total=sum(claim.n for claim in claims), absent=list(ctx.absent))

    @strict.step
    def report(sums: list[Sum]) -> Report:
        return Report(k="r", sums=[one.total for one in sums])

    with Rehearsal(loose, strict) as r:
        published = r.publish(Shelf(k="s"))
        r.settle()
        (letter,) = r.dead_letters()
        assert (letter.step, letter.reason) == ("strict/add", "invalid")
        assert [(one.total, one.absent) for one in r.events(Sum)] == [(7, [])]
        r.discard(letter)
        r.kill("strict")
        r.restart("strict")
        r.settle()
        assert sorted((one.total, tuple(one.absent)) for one in r.events(Sum)) == [(5, (1,)), (7, ())]
        assert r.events(Report) == [Report(k="r", sums=[7, 5])]
        assert r.absences() == []
        assert r.status(published).status == "complete"
        assert check(r.history()) == []
