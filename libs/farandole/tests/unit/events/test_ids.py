"""Derived ids: the same on every machine, in every process, for ever; and different for different things."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from farandole.events import ids
from farandole.events.ids import Derivation, Parent

PARENT = Parent("ingest/read", "0123456789abcdef0123456789abcdef")
OTHER = Parent("tiling/extract", "fedcba9876543210fedcba9876543210")

# What is stored in logs: a change of any of these makes every rebuilt id differ from the stored one.
GOLDEN: dict[str, Callable[[], str]] = {
    "DELIVERY": lambda: Derivation([PARENT], "tiling/extract").delivery,
    "GENERATION": lambda: Derivation([PARENT], "tiling/extract", 1).delivery,
    "GATHERED": lambda: Derivation([PARENT, OTHER], "mosaic/join", group="00ff00ff00ff00ff").delivery,
    "EVENT": lambda: Derivation([PARENT], "tiling/extract").event(0),
    "MEMBER": lambda: Derivation([PARENT], "tiling/extract").event(1, 17),
    "GROUP": lambda: Derivation([PARENT], "tiling/extract").group(0),
    "ABSENCE": lambda: Derivation([PARENT], "tiling/extract").absent(0, "tile.extracted"),
    "PENDING": lambda: Derivation([PARENT], "tiling/extract").absent(0, "tile.extracted", "dead"),
    "WORKFLOW": lambda: ids.workflow_id("cli", "scene-1"),
    "STRAY": lambda: ids.stray_workflow_id("scene.received", 3, 42),
    "TRACE": lambda: ids.trace_id("0123456789abcdef0123456789abcdef"),
    "SPAN": lambda: ids.span_id("0123456789abcdef0123456789abcdef", 2),
    "FINGERPRINT": lambda: ids.fingerprint("cli", b"\x00body").hex(),
    "CONTENT": lambda: ids.content_id(b"{}"),
}
VALUES = {
    "DELIVERY": "4f3ed424c9e0b73f3520ea129e6bf0f7",
    "GENERATION": "27ae3e66587a9f20e1a2e8415a0d8cd8",
    "GATHERED": "33b095a9e0fe8b7ca44d90adfee4ed21",
    "EVENT": "9c95ac341975c8228f1c5acd17b9df7d",
    "MEMBER": "de3888092415a1a7109d5025cf70bffd",
    "GROUP": "c9e303a2bad85f69",
    "ABSENCE": "2d07a216e2ed06ee650c3d54b27161d9",
    "PENDING": "3f64843882c1a35c652ca12bde0ec5f0",
    "WORKFLOW": "ebeb2bdd8ee5da3c52513cc9f257f586",
    "STRAY": "c4444ff5b1b145346c1837ab03663526",
    "TRACE": "104c36be28ca140f2acbea26d83f3419",
    "SPAN": "7fab24670ba0b1d4",
    "FINGERPRINT": "2508581ea0cbf212",
    "CONTENT": "9327a492264ecac0806b031b780241d8",
}

texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
parents = st.builds(Parent, texts, texts)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_ids_are_what_logs_hold(name: str) -> None:
    """Golden values: stored ids and derived ids agree across versions of the library."""
    assert GOLDEN[name]() == VALUES[name]


def test_ids_do_not_depend_on_the_process() -> None:
    """Another process with another hash seed derives the same."""
    program = (
        "from farandole.events.ids import Derivation, Parent, workflow_id\n"
        f"d = Derivation([Parent(*{tuple(PARENT)!r})], 'tiling/extract')\n"
        "print(d.delivery, d.event(0), d.group(0), workflow_id('cli', 'scene-1'))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1")
    }
    here = (GOLDEN["DELIVERY"](), GOLDEN["EVENT"](), GOLDEN["GROUP"](), GOLDEN["WORKFLOW"]())
    assert told == {" ".join(here).encode() + b"\n"}


def test_a_delivery_id_alone_gives_all_that_follows_from_it() -> None:
    """A fold, which has read the id only, derives the ids of the outputs."""
    live = Derivation([PARENT, OTHER], "mosaic/join", 3, group="00ff00ff00ff00ff")
    known = Derivation.of(live.delivery)
    assert known.delivery == live.delivery
    assert [known.event(0), known.event(2, 5), known.group(1), known.absent(0, "a.b", "x")] == [
        live.event(0),
        live.event(2, 5),
        live.group(1),
        live.absent(0, "a.b", "x"),
    ]


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(texts, texts, st.integers(0, 9), st.lists(parents, min_size=1, max_size=3)), min_size=2, max_size=8
    )
)
def test_deliveries_of_different_origin_never_share_an_id(
    origins: list[tuple[str, str, int, list[Parent]]],
) -> None:
    """Group, producer, generation and parents cannot run into each other: separators stand in none of them."""
    distinct = {(g, p, n, tuple(ps)) for g, p, n, ps in origins}
    found = {Derivation(ps, p, n, group=g).delivery for g, p, n, ps in distinct}
    assert len(found) == len(distinct)


def test_text_that_moves_from_one_part_to_the_next_changes_the_id() -> None:
    """The classic collision: ab|c and a|bc."""
    assert Derivation([Parent("ab", "c")], "s/t").delivery != Derivation([Parent("a", "bc")], "s/t").delivery
    assert ids.workflow_id("ab", "c") != ids.workflow_id("a", "bc")
    assert ids.fingerprint("ab", "c") != ids.fingerprint("a", "bc")
    assert ids.fingerprint(b"a\x1fb") != ids.fingerprint(b"a", b"b")
    assert ids.stray_workflow_id("t", 1, 11) != ids.stray_workflow_id("t", 11, 1)
    assert ids.span_id("d1", 1) != ids.span_id("d", 11)


def test_a_source_is_part_of_an_identity() -> None:
    """Two sources may use the same id."""
    assert Derivation([Parent("a", "1")], "s/t").delivery != Derivation([Parent("b", "1")], "s/t").delivery


def test_all_outputs_of_a_delivery_differ() -> None:
    """Single outputs, members of fan-outs and absences of any slot; 10,000 members."""
    delivery = Derivation([PARENT], "tiling/extract")
    found = [delivery.event(slot) for slot in range(20)]
    found += [delivery.event(slot, index) for slot in range(3) for index in range(10_000)]
    found += [delivery.absent(slot, name, note) for slot in range(3) for name in "ab" for note in ("", "dead")]
    found.append(delivery.delivery)
    assert len(set(found)) == len(found)
    assert all(len(one) == 32 and set(one) <= set("0123456789abcdef") for one in found)


def test_a_retry_repeats_its_ids_and_a_generation_does_not() -> None:
    """Attempts share outputs; a deliberate re-run has its own."""
    assert Derivation([PARENT], "s/t").event(0) == Derivation([PARENT], "s/t").event(0)
    assert Derivation([PARENT], "s/t", 1).event(0) != Derivation([PARENT], "s/t", 0).event(0)
    assert ids.span_id("d", 1) != ids.span_id("d", 2)


def test_trace_ids_are_those_of_w3c() -> None:
    """Lengths, alphabet and form of Trace Context."""
    trace, span = ids.trace_id("w"), ids.span_id("0123456789abcdef" * 2, 1)
    assert len(trace) == 32
    assert len(span) == 16
    assert ids.traceparent(trace, span) == f"00-{trace}-{span}-01"
    assert ids.traceparent(trace, span, sampled=False) == f"00-{trace}-{span}-00"


def test_every_span_of_a_trace_has_its_own_id() -> None:
    """The root, an attempt, its twin and what was sent; each follows from what it is of."""
    delivery = Derivation([PARENT], "s/t").delivery
    found = [
        ids.root_span_id("w"),
        ids.span_id(delivery, 1),
        ids.span_id(delivery, 2),
        ids.twin_span_id(delivery, 1, ("a.b", 0, 7)),
        ids.twin_span_id(delivery, 1, ("a.b", 0, 8)),
        ids.send_span_id("s/t", "1"),
        ids.send_span_id("s/u", "1"),
    ]
    assert len(set(found)) == len(found)
    assert all(len(one) == 16 and int(one, 16) for one in found)


def test_a_share_of_the_traces_is_sampled_and_a_larger_one_holds_the_smaller() -> None:
    """As OpenTelemetry's own sampler decides."""
    traces = [ids.trace_id(f"w{n}") for n in range(2000)]
    for ratio in (0.0, 0.01, 0.3, 0.5, 1.0):
        kept = {t for t in traces if ids.is_sampled(t, ratio)}
        sampler = TraceIdRatioBased(ratio)
        assert kept == {t for t in traces if sampler.should_sample(None, int(t, 16), "x").decision.is_sampled()}
        assert abs(len(kept) / len(traces) - ratio) < 0.05
        assert kept <= {t for t in traces if ids.is_sampled(t, min(1.0, ratio + 0.2))}


def test_a_gathering_of_many_members_costs_time_in_proportion() -> None:
    """The ids of 100,000 parents go into one digest without being copied again and again."""
    many = [Parent("tiling/extract", f"{i:032x}") for i in range(100_000)]
    start = time.process_time()
    assert Derivation(many, "mosaic/join").delivery != Derivation(many[:-1], "mosaic/join").delivery
    assert time.process_time() - start < 5  # copying each time would take minutes
