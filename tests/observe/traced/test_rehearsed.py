"""Spans of services that crash, stall and are fenced, on a memory log by seeds, against those of the log alone."""

import json
from collections import Counter
from collections.abc import Iterable
from unittest.mock import patch

import pytest

from farandole.events import ids
from farandole.events.codec import encode
from farandole.events.envelope import Envelope
from farandole.fold.workflow import Workflow
from farandole.log.record import NewRecord
from farandole.telemetry.spans import Context, Span
from farandole.telemetry.tracing import TracingHooks
from farandole_observe.traces.inputs import look_at
from farandole_observe.traces.weaving import Strand
from tests.observe.traced.rehearsed import journal, rebuilt, traced
from tests.rehearsal import orders
from tests.rehearsal.stage import play_orders, weather
from tests.support.connected import unconnected


def plain(spans: Iterable[Span]) -> list[str]:
    """Comparable, in an order of their own."""
    return sorted(json.dumps(span) for span in spans)


def is_root(span: Span) -> bool:
    return not span.parent


def test_an_undisturbed_run_emits_what_a_rebuild_gives() -> None:
    """Nested fan-outs, absences, joins, retries, dead letters, redrives and discards, in every field."""
    with traced(*orders.SERVICES, partitions=2) as (r, live):
        play_orders(r, orders.SALTS[0])
        again, told = rebuilt(r)
        assert plain(live) == plain(span for span in again if not is_root(span))
        assert unconnected(journal(r), again) == []
        assert told.cut == 0
        ended = {span.context.trace for span in again if is_root(span)}
        assert ended == {ids.trace_id(fact["workflow"]) for fact in journal(r)}
        assert {f["fact"] for f in journal(r)} >= {"completed", "retrying", "dead", "held", "redriven", "discarded"}


@pytest.mark.parametrize("seed", range(1, 25))
def test_whatever_befalls_it_what_was_emitted_is_in_the_log(seed: int) -> None:
    """Killed, fenced, aborted: what did not commit is never emitted; what did is there, and connected."""
    faults, replicas = weather(seed)
    with traced(*orders.SERVICES, partitions=2, seed=seed, faults=faults, replicas=replicas) as (r, live):
        play_orders(r, orders.SALTS[seed % len(orders.SALTS)])
        r.calm()
        r.settle()
        again, told = rebuilt(r)
        more = Counter(plain(live)) - Counter(plain(again))
        assert not more, f"seed {seed}: emitted, but not in the log: {list(more)[:3]}"
        found = unconnected(journal(r), again)
        assert not found, f"seed {seed}: {found[:5]}"
        assert told.cut == 0


def test_a_second_record_under_one_identity_has_a_span_of_its_own() -> None:
    """A dead letter beside the first one's span, in the same trace; what is parked or redriven has none."""
    with traced(*orders.SERVICES, partitions=1) as (r, live):
        for body in (orders.OrderGiven(order="a", crumbs=[]), orders.OrderGiven(order="b", crumbs=[])):
            key, value, headers = encode(Envelope("one", "shop", "order.given", 1, body.data(), "k"))
            r.append(NewRecord("order.given", value, key, headers))
        r.settle()
        assert {letter.reason for letter in r.dead_letters()} >= {"id-conflict"}
        again, _ = rebuilt(r)
        assert unconnected(journal(r), again) == []
        assert plain(live) == plain(span for span in again if not is_root(span))


def test_an_undecodable_record_has_a_trace_of_its_own() -> None:
    """One span, dead, at the moment at which the log took the record."""
    with traced(*orders.SERVICES, partitions=1) as (r, live):
        r.append(NewRecord("order.given", b"no json", b"k", (("ce_specversion", b"9"),)))
        r.settle()
        again, _ = rebuilt(r)
        assert plain(live) == plain(again)
        assert unconnected(journal(r), again) == []
        assert {(s.name, s.attributes["farandole.reason"], s.parent) for s in again} == {
            ("process order.given", "undecodable", ids.root_span_id(ids.stray_workflow_id("order.given", 0, 0)))
        }
        assert all(s.started == s.finished > 0 for s in again)
        r.discard()
        r.settle()
        again, _ = rebuilt(r)
        assert [s.name for s in again if is_root(s)] == ["workflow order.given"]


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_the_same_share_of_workflows_is_sampled_by_everyone(ratio: float) -> None:
    """Whole traces or none; live, rebuilt, and as the `sampled` flag of every event says."""
    with traced(*orders.SERVICES, ratio=ratio) as (r, live):
        flows = [r.publish(orders.OrderGiven(order=f"o{n}", crumbs=[1]), id=f"o{n}").workflow for n in range(40)]
        r.settle()
        again, _ = rebuilt(r, ratio)
        assert plain(live) == plain(span for span in again if not is_root(span))
        kept = {flow for flow in flows if ids.is_sampled(ids.trace_id(flow), ratio)}
        assert {span.context.trace for span in live} == {ids.trace_id(flow) for flow in kept}
        assert 0 < len(kept) < 40 or ratio in (0.0, 1.0)
        envelopes = [e for topic in r.history().events.values() for one in topic if (e := one.envelope) is not None]
        flags = {(e.workflow in kept, e.traceparent[-2:]) for e in envelopes if e.traceparent}
        assert flags == {(True, "01")} & flags | {(False, "00")} & flags
        assert flags


def test_each_attempt_at_an_event_can_be_told_from_its_record_alone() -> None:
    """Where the facts before it are forgotten or gone, the record that was taken says what it hangs on."""
    with traced(*orders.SERVICES, partitions=2) as (r, live):
        play_orders(r, orders.SALTS[0])
        whole, facts = Counter(plain(live)), [fact for fact in r.facts() if fact.event is not None]
        assert len(facts) > 100
        for fact in facts:
            strand = Strand(Workflow(fact.workflow))
            place = strand.lacks(fact)
            assert place is not None
            strand.learn(place, r._run(look_at(r._log, place)))
            assert not Counter(plain(strand.weave(fact))) - whole
            assert strand.cut == 0


def test_what_is_gone_is_counted_and_hangs_on_the_root() -> None:
    """A group whose members' facts are gone, and an event whose record is."""
    with traced(*orders.SERVICES, partitions=2) as (r, _):
        r.publish(orders.OrderGiven(order="a", crumbs=[2]), id="a")
        r.settle()
        facts = [fact for fact in r.facts() if fact.fact == "completed"]
        for fact in (next(f for f in facts if f.group is not None), next(f for f in facts if f.event is not None)):
            strand = Strand(Workflow(fact.workflow))
            place = strand.lacks(fact)
            if place is not None:
                strand.learn(place, None)
            first = next(strand.weave(fact))
            assert strand.cut == 1
            assert first.parent == ids.root_span_id(fact.workflow)
            assert first.links == ()


def test_attempts_that_never_committed_are_emitted_by_nobody() -> None:
    """They ran, in vain: killed, fenced, or with a commit that failed; what did commit is emitted at most once."""
    ran = emitted = 0
    for seed in range(1, 7):
        faults, replicas = weather(seed)
        with traced(*orders.SERVICES, partitions=2, seed=seed, faults=faults, replicas=replicas) as (r, live):
            with patch.object(TracingHooks, "running", autospec=True, side_effect=TracingHooks.running) as running:
                play_orders(r, orders.SALTS[seed % len(orders.SALTS)])
            ran += running.call_count
            emitted += sum(span.name.startswith("process") and span.started < span.finished for span in live)
            twice = {one for one, n in Counter(span.context for span in live).items() if n > 1}
            assert not twice, f"seed {seed}: {twice}"
    assert ran > emitted > 0


def test_the_check_finds_what_is_missing_loose_or_a_stranger() -> None:
    """Each planted fault is found; without any, nothing is."""
    with traced(*orders.SERVICES, partitions=2) as (r, _):
        play_orders(r, orders.SALTS[0])
        spans, _ = rebuilt(r)
        facts = journal(r)
    assert unconnected(facts, spans) == []
    below = {s.parent for s in spans if s.name.startswith("process")}
    inner = next(s for s in spans if s.name.startswith("process") and s.context.span in below)
    rest = [span for span in spans if span is not inner]
    assert any("no span of" in found for found in unconnected(facts, rest))
    assert any("does not lead to the root" in found for found in unconnected(facts, rest))
    assert any("came 2 times" in found for found in unconnected(facts, [*spans, inner]))
    stranger = inner._replace(context=inner.context._replace(trace="1" * 32))
    assert any("no workflow's" in found for found in unconnected(facts, [*spans, stranger]))
    circle = inner._replace(parent=inner.context.span)
    assert any("does not lead to the root" in found for found in unconnected(facts, [*rest, circle]))
    elsewhere = inner._replace(parent=next(s.context.span for s in spans if s.context.trace == inner.context.trace))
    assert any("not where its event came from" in found for found in unconnected(facts, [*rest, elsewhere]))
    linking = next(s for s in spans if len(s.links) > 1 and "messaging.batch.message_count" in s.attributes)
    fewer = [linking._replace(links=linking.links[1:]) if span is linking else span for span in spans]
    assert any("does not link to the" in found for found in unconnected(facts, fewer))
    links = (linking.links[0]._replace(to=Context(linking.context.trace, "2" * 16)), *linking.links[1:])
    changed = [span for span in spans if span is not linking]
    assert any("links to" in found for found in unconnected(facts, [*changed, linking._replace(links=links)]))
