"""What an attempt's end writes: the quick way of one event for one event gives the very bytes of the general one."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from farandole.events.envelope import Envelope
from farandole.events.event import Event
from farandole.events.scope import Level
from farandole.log.record import Record
from farandole.runtime.compose import journal_records
from farandole.runtime.declare import Service
from farandole.runtime.delivery import Delivery
from farandole.runtime.given import read_given
from farandole.runtime.outcome import Outcome, completed, error_of
from farandole.runtime.plan import Plan
from libs.farandole.tests.unit.runtime.props import LIMIT, Clock


class Came(Event, type="came", key="key"):
    key: str


class Went(Event, type="went", key="key", final=True):
    key: str
    more: str


service = Service("passing", accepts=[Came])


@service.step
async def pass_on(event: Came) -> Went | None:
    """One for one."""
    return Went(key=event.key, more="") if event.key else None


def _plan() -> Plan:
    return Plan(service.steps["pass-on"], "1", "bench", Clock(), LIMIT, 1)


def _ended(plan: Plan, envelope: Envelope, went: Went | None, *, attempt: int, within: bool) -> Outcome:
    delivery = Delivery(None, plan.producer, record=Record("came", 0, 7, 1.5, b"k", b"{}", ()))
    delivery.envelope, delivery.attempt, delivery.from_within = envelope, attempt, within
    return completed(plan, delivery, read_given(plan.step.signature, went), 1.0, 2.0)


_scopes = st.lists(st.builds(Level, st.just("g" * 16), st.integers(0, 2), st.just(3)), max_size=2).map(tuple)


@settings(max_examples=200, deadline=None)
@given(
    scope=_scopes,
    generation=st.integers(0, 3),
    attempt=st.integers(1, 3),
    within=st.booleans(),
    traced=st.booleans(),
    text=st.text(max_size=20),
)
def test_one_for_one_is_written_alike_whichever_way_it_goes(
    scope: tuple[Level, ...], generation: int, attempt: int, within: bool, traced: bool, text: str
) -> None:
    """Records and facts, with any scope, generation, attempt and trace."""
    quick, general = _plan(), _plan()
    object.__setattr__(general, "sole", None)
    trace = f"00-{'1' * 32}-{'2' * 16}-01" if traced else None
    envelope = Envelope("id", "up/step", "came", 1, b"{}", "k", "w", None, scope, generation, trace)
    went = Went(key="k", more=text)
    one, other = (_ended(plan, envelope, went, attempt=attempt, within=within) for plan in (quick, general))
    assert one.records == other.records
    assert one.facts == other.facts
    assert journal_records(quick, [one]) == journal_records(general, [other])
    assert (one.attempt, one.settles, one.rows) == (other.attempt, other.settles, other.rows)


@pytest.mark.parametrize("scope", [(), (Level("g" * 16, 0, 1),)])
def test_nothing_given_is_told_and_inside_a_group_said(scope: tuple[Level, ...]) -> None:
    """None is no event; who waits for the group's members learns of it."""
    envelope = Envelope("id", "up/step", "came", 1, b"{}", "k", "w", None, scope)
    outcome = _ended(_plan(), envelope, None, attempt=1, within=True)
    assert len(outcome.records) == len(scope)
    assert [fact["fact"] for fact in outcome.facts] == ["completed"]


def test_the_plan_of_a_step_that_gives_several_has_no_quick_way() -> None:
    """Neither lists nor tuples nor unions."""
    signature = service.steps["pass-on"].signature
    slot = signature.slots[0]
    assert signature.sole_out is Went
    assert replace(signature, slots=(replace(slot, many=True),)).sole_out is None
    assert replace(signature, slots=(slot, slot)).sole_out is None
    assert replace(signature, is_tuple=True).sole_out is None
    assert replace(signature, slots=(replace(slot, types=(Went, Came)),)).sole_out is None


def test_an_error_is_told_without_the_login_of_a_url_and_without_the_value_that_was_wrong() -> None:
    """In the fact, and so in the header of the dead letter and in whatever is folded from the journal."""

    class Login(BaseModel):
        port: int

    told = error_of(_plan(), OSError("no route to kafka://me:canary@host:9092/eo"))
    assert told["text"] == "no route to kafka://***@host:9092/eo"
    with pytest.raises(ValidationError) as caught:
        Login.model_validate({"port": "canary"})
    assert "canary" not in error_of(_plan(), caught.value)["text"]
    assert "port: " in error_of(_plan(), caught.value)["text"]


def test_an_error_is_told_without_the_secrets_of_settings() -> None:
    """Whoever raised it knew no better."""
    plan = _plan()
    plan.secrets.learn({"password": "canary"})
    told = error_of(plan, OSError("login with canary failed"))
    assert told["text"] == "login with *** failed"
