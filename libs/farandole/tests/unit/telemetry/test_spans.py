"""Spans from facts: one for each attempt, one for each event that it published; a copy of the facts gives the same."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from farandole.events import ids
from farandole.events.facts import Fact, read_facts
from farandole.telemetry import conventions as names
from farandole.telemetry.otlp import readable
from farandole.telemetry.spans import (
    ENDINGS,
    LINKS,
    Context,
    Input,
    Member,
    Origin,
    attempt_span,
    origin_of,
    published,
    root_span,
    spans,
)

OUTSIDE = Context("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
HEX = st.text("0123456789abcdef", min_size=32, max_size=32)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.floats(0.0, 4e9)
SINGLE = st.fixed_dictionaries(
    {"slot": st.integers(0, 3), "type": st.just("a.b.v1"), "id": HEX, "key": st.none() | TEXT}
)
ABSENT = st.fixed_dictionaries({"slot": st.integers(0, 3), "type": st.just("a.b"), "id": HEX, "absent": st.just(1)})


@st.composite
def fan_outs(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(st.none() | TEXT, min_size=1, max_size=5))
    types = draw(st.sampled_from([["a.b.v1"], ["a.b.v1", "a.c.v2"]]))
    out = {"slot": 4, "group": "g", "count": 9, "start": draw(st.integers(0, 3)), "types": types, "keys": keys}
    of = {"of": [draw(st.integers(0, 1)) for _ in keys]} if len(types) > 1 else {}
    return out | of


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """As the runtime writes them."""
    kind = draw(
        st.sampled_from(["completed", "continued", "retrying", "dead", "held", "parked", "redriven", "discarded"])
    )
    fact: dict[str, Any] = {
        "fact": kind, "workflow": draw(HEX), "service": "s", "step": "t", "version": "1", "worker": "h:1",
        "attempt": draw(st.integers(1, 5)), "generation": draw(st.integers(0, 2)),
        "outputs": draw(st.lists(SINGLE | ABSENT | fan_outs(), max_size=3, unique_by=lambda out: out.get("id", ""))),
    }  # fmt: skip
    if draw(st.booleans()):
        fact |= {"started": draw(TIMES), "finished": draw(TIMES)}
    if draw(st.booleans()):
        at = ("a.z", draw(st.integers(0, 9)), draw(st.integers(0, 10**12)))
        fact["event"] = {"source": draw(TEXT), "id": draw(TEXT), "type": "a.z.v1", "time": draw(TIMES), "at": at}
    else:
        absent = draw(st.lists(st.integers(0, 9), max_size=3))
        fact["group"] = {"id": "g", "delivery": draw(HEX), "count": 2, "absent": absent, "digest": ""}
    if kind in ("retrying", "dead"):
        fact |= {
            "error": {"kind": "OSError", "text": draw(TEXT)},
            "reason": draw(st.sampled_from(["", "terminal", "id-conflict"])),
        }
    return fact


@given(facts(), st.lists(HEX, max_size=3))
def test_a_fact_of_an_attempt_is_one_span_with_what_it_published_below_it(
    told: dict[str, Any], members: list[str]
) -> None:
    """Ids are W3C's and differ; nothing ends before it began; any OTLP receiver can read it."""
    fact = Fact.model_validate(told)
    found = list(spans(fact, Origin(ids.root_span_id(fact.workflow)), [Member(m, Origin("1" * 16)) for m in members]))
    attempts = [span for span in found if span.kind == "consumer"]
    assert len(attempts) == (fact.fact in ENDINGS)
    sends = [span for span in found if span.kind == "producer"]
    outputs = len(list(published(fact)))
    assert len(sends) == (outputs if fact.fact in ENDINGS or fact.fact == "continued" else 0)
    assert {span.parent for span in sends} <= {span.context.span for span in attempts} or fact.fact == "continued"
    assert len({span.context for span in found}) == len(found)
    for span in found:
        assert span.context.trace == ids.trace_id(fact.workflow)
        assert len(bytes.fromhex(span.context.span)) == 8
        assert 0 <= span.started <= span.finished
    assert [len(span.links) for span in attempts] == [len(members) + (fact.attempt > 1)] * len(attempts)
    encoded = encode_spans([readable(span) for span in found])
    assert sum(len(scope.spans) for resource in encoded.resource_spans for scope in resource.scope_spans) == len(found)


@given(facts())
def test_what_the_journal_gives_back_makes_the_same_spans(told: dict[str, Any]) -> None:
    """A service makes them of the fact as it wrote it, a rebuild of the fact as it reads it."""
    (again,) = read_facts(msgspec.json.encode([told]))
    origin = Origin("2" * 16, OUTSIDE)
    assert list(spans(again, origin)) == list(spans(Fact.model_validate(told), origin))


def test_an_event_hangs_on_its_own_trace_or_on_the_root() -> None:
    """Another trace is linked to, never joined."""
    inside = ids.traceparent(ids.trace_id("w"), "3" * 16)
    assert origin_of(inside, "w") == Origin("3" * 16)
    assert origin_of(ids.traceparent(*OUTSIDE), "w") == Origin(ids.root_span_id("w"), OUTSIDE)
    assert origin_of(None, "w") == Origin(ids.root_span_id("w"))


def _fact(**more: Any) -> Fact:
    about = {"workflow": "w", "service": "s", "step": "t", "started": 1.0, "finished": 2.0}
    event = {"source": "c", "id": "1", "type": "a.b.v1", "time": 0.5, "at": ("a.b", 0, 7)}
    return Fact.model_validate({"fact": "completed", "event": event} | about | more)


def test_a_failed_attempt_says_why_without_secrets() -> None:
    """Status, type and text; a login in a URL is hidden."""
    error = {"kind": "OSError", "text": "no route to kafka://user:canary@host"}
    span = attempt_span(_fact(fact="retrying", error=error, due=9.0), Origin("1" * 16))
    assert span.error == "OSError: no route to kafka://***@host"
    assert span.exception == ("OSError", "no route to kafka://***@host")
    assert span.attributes[names.ERROR_TYPE] == "OSError"
    assert span.attributes[names.DUE] == 9.0
    assert attempt_span(_fact(), Origin("1" * 16)).error is None


def test_what_never_ran_stands_at_the_moment_at_which_its_event_was_there() -> None:
    """A dead letter that could not be decoded, a member of a group; it takes no time."""
    span = attempt_span(_fact(fact="dead", reason="undecodable", started=0.0, finished=0.0), Origin("1" * 16))
    assert (span.started, span.finished) == (500_000_000, 500_000_000)
    assert span.error == "undecodable"


def test_a_retry_links_to_the_attempt_before_it() -> None:
    """They are siblings; the link tells which came first."""
    first, second = attempt_span(_fact(), Origin("1" * 16)), attempt_span(_fact(attempt=2), Origin("1" * 16))
    assert [link.to for link in second.links] == [first.context]
    assert first.parent == second.parent


def test_a_group_links_to_its_members_as_far_as_a_receiver_takes_it() -> None:
    """The count of all is in the span."""
    group = {"id": "g", "delivery": "d" * 32, "count": LINKS + 5}
    members = [Member(str(n), Origin("1" * 16)) for n in range(LINKS + 5)]
    span = attempt_span(_fact(event=None, group=group), members[0].origin, members)
    assert len(span.links) == LINKS
    assert span.attributes[names.BATCH_COUNT] == LINKS + 5


def test_the_root_goes_from_the_first_input_to_the_end() -> None:
    """And links to the traces in which the inputs were sent, each once."""
    inputs = [Input("b.c.v1", 5.0, OUTSIDE), Input("a.b.v2", 3.0, OUTSIDE), Input("a.b.v1", 4.0)]
    span = root_span("w", inputs, 9.0)
    assert (span.name, span.parent, span.started, span.finished) == ("workflow a.b", "", 3 * 10**9, 9 * 10**9)
    assert [link.to for link in span.links] == [OUTSIDE]
    assert span.context == Context(ids.trace_id("w"), ids.root_span_id("w"))
