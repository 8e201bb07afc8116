"""The tables of docs/scale.md, made of the coefficients: between two comments with a name, and nowhere else.

What the simulation takes long for bears the digest of the coefficients that it was made with instead of being made
again by whoever compares.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.scale.coefficients import Coefficients, Work, alone
from scripts.scale.need import SMALLEST, Model, Workload
from scripts.scale.simulate import Simulated, healed, row_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "scale.md"
RATES = (10.0, 1_000.0, 100_000.0)
_BLOCK = re.compile(r"<!-- (?P<name>[a-z]+)(?P<digest> [0-9a-f]{12})? -->\n.*?<!-- /(?P=name) -->", re.DOTALL)
SIMULATED = ("agreement", "loads", "wide", "failures")
"""Blocks that only a simulation can make."""


def digest(found: Coefficients) -> str:
    """Twelve hexadecimal digits, other ones for other coefficients."""
    return hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:12]


def quick(found: Coefficients) -> Mapping[str, str]:
    """The blocks that take no simulation."""
    return {"measured": _measured(found), "costs": _costs(found), "needs": _needs(found), "limits": _limits(found)}


def long(found: Coefficients, got: Simulated) -> Mapping[str, str]:
    """The blocks of a simulation."""
    heads = (
        "processes a step",
        "Zipf",
        "come through",
        "a hop, p50, p99",
        "5 hops, p50, p99",
        "busiest",
        "brokers",
        "batch",
    )
    return {
        "agreement": _table(
            ("what", "measured", "simulated", "off"),
            [
                (
                    each.what,
                    f"{_short(each.measured)} {each.unit}",
                    f"{_short(each.simulated)} {each.unit}",
                    f"{each.off:+.0%}",
                )
                for each in got.agreements
            ],
        ),
        "loads": _table(
            ("load", "p50", "p99", "deliveries of a commit"),
            [
                (f"{load:.0%}", f"{1000 * f.hop_p50:.1f} ms", f"{1000 * f.hop_p99:.1f} ms", f"{f.batch:,.1f}")
                for load, f in got.loads
            ],
        ),
        "wide": _table(heads, [row_of(each) for each in got.wide]),
        "failures": _table(
            ("what", "load", "oldest event", "as before after"),
            [(each.what, f"{each.load:.0%}", f"{each.age:.1f} s", healed(each)) for each in got.failures],
        ),
    }


def written(text: str, blocks: Mapping[str, str], mark: str) -> str:
    """The page with these blocks in their places. Raises KeyError for a block that has no place on it."""
    places = {match["name"] for match in _BLOCK.finditer(text)}
    if missing := set(blocks) - places:
        raise KeyError(f"no place for {', '.join(sorted(missing))}")

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in blocks:
            return match[0]
        head = f"<!-- {name} {mark} -->" if name in SIMULATED else f"<!-- {name} -->"
        return f"{head}\n{blocks[name]}\n<!-- /{name} -->"

    return _BLOCK.sub(put, text)


def stale(text: str, found: Coefficients) -> list[str]:
    """Names of the blocks of a page that are not of these coefficients."""
    there = {match["name"]: match for match in _BLOCK.finditer(text)}
    fresh = {name: f"<!-- {name} -->\n{block}\n<!-- /{name} -->" for name, block in quick(found).items()}
    wrong = [name for name, block in fresh.items() if name not in there or there[name][0] != block]
    mark = f" {digest(found)}"
    return wrong + [name for name in SIMULATED if name not in there or there[name]["digest"] != mark]


def _measured(found: Coefficients) -> str:
    about = found.about
    load = ", ".join(f"{value:.1f}" for value in about["load"])
    beside = "" if alone(found) else "**Something else ran meanwhile: latencies are too long, and costs too high.** "
    return (
        f"{beside}Measured by `{about['command']}`\nat commit {about['commit']} in {about['seconds']} s "
        f"on {about['machine']}, Python {about['python']}, Kafka {about['kafka']};\n"
        f"load of the machine at the end: {load} (1, 5 and 15 minutes)."
    )


def _costs(found: Coefficients) -> str:
    model = Model(found)
    most = [f"{model.bears(Workload(1.0, hops=1, size=full.size)):,.0f}/s of {full.size:,.0f} B" for full in found.full]
    disk, process, member, latency = found.disk, found.process, found.member, found.latency
    grouped = f"{_micro(member.service)} of the service, {_micro(member.broker)} of the brokers"
    memory = f"{process.memory / 2**20:.0f} MiB, {process.partition / 2**10:.0f} KiB more a partition"
    residuals = (f"{name} {value:.0%}" for name, value in found.residuals.items())
    tables = (
        (f"a projector into {name}", f"{t.rate:,.0f} facts/s, {t.fact:.0f} B a fact, {t.memory / 2**20:.0f} MiB")
        for name, t in found.tables.items()
    )
    rows = [
        ("a hop, of the service's cores", _work(found.service)),
        ("a hop, of the brokers' cores, one copy", _work(found.broker)),
        ("the same, each further copy", _work(found.replica)),
        ("so one process bears at most", ", ".join(most)),
        ("a commit after a pause, and at once after another; p50", f"{_p50(latency.alone)}, {_p50(latency.again)}"),
        ("disk, one copy, an event beside its JSON", _bytes(disk.event)),
        ("disk, one copy, a fact", _bytes(disk.fact)),
        ("disk, one copy, what a commit adds", _bytes(disk.commit)),
        ("a member of a group, spread and gathered", f"{grouped}, {member.disk:,.0f} B of disk"),
        ("a process of one step without work", f"{memory}, {process.connections:.0f} connections to one broker"),
        *tables,
        ("largest residual of each fit", ", ".join(residuals)),
    ]
    return _table(("what", "measured"), rows)


def _work(work: Work) -> str:
    parts = [f"{_micro(work.event)} an event", f"{1e9 * work.byte:.2f} µs a kB", f"{_micro(work.commit)} a commit"]
    if work.partition:
        parts.append(f"{_micro(work.partition)} a partition that it writes to")
    if work.second:
        parts.append(f"{work.second:.1%} of a core standing by")
    return ", ".join(parts)


def _needs(found: Coefficients) -> str:
    model = Model(found)
    columns = [need(model, Workload(rate)) for rate in RATES]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return _table(("needed at", *(f"{rate:,.0f} events/s" for rate in RATES)), rows)


def need(model: Model, workload: Workload) -> dict[str, str]:
    """What is needed, in words."""
    layout = model.layout(workload)
    load = model.load(workload, layout)
    shares = model.shares(workload, layout)
    first = model.limits(workload, layout)[0]
    return {
        "processes of each of 5 steps": f"{layout.processes:,}",
        "partitions of each topic": f"{layout.partitions:,}",
        "partitions of the journal": f"{layout.journal:,}",
        "copies of partitions, of the whole cluster": f"{load.copies:,}",
        "brokers": f"{layout.brokers:,}",
        "projectors": f"{layout.projectors:,}",
        "cores, services": f"{load.service:,.2g}" if load.service < 10 else f"{load.service:,.0f}",
        "cores, brokers": f"{load.broker:,.2g}" if load.broker < 10 else f"{load.broker:,.0f}",
        "memory, services": _bytes(load.memory),
        "connections to brokers": f"{load.connections:,.0f}",
        "commits a second": f"{load.commits:,.0f}",
        "deliveries of a commit": f"{load.batch:,.1f}",
        "network into brokers": f"{_bytes(load.inward)}/s",
        "network out of brokers": f"{_bytes(load.outward)}/s",
        "disk a day, all copies": _bytes(load.kept / model.ground.days),
        "disk, 7 days kept": _bytes(load.kept),
        "tables a day": _bytes(load.tables),
        "busiest interpreter": f"{shares['interpreter']:.1%}",
        "gives way first": f"{first[1]}, at {first[0]:,.0f}/s",
    }


def _limits(found: Coefficients) -> str:
    model = Model(found)
    rows = [(name, f"{rate:,.0f} events/s") for rate, name in model.limits(Workload(1.0), SMALLEST)]
    return _table(("is full", "at"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join((head, f"|{'---|' * len(heads)}", *body))


def _micro(seconds: float) -> str:
    return f"{_short(1e6 * seconds)} µs"


def _short(value: float) -> str:
    """Three digits, and what lies above them."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _p50(quantiles: Sequence[float]) -> str:
    return f"{1000 * quantiles[len(quantiles) // 2]:.1f} ms"


def _bytes(value: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{value / size:,.3g} {unit}"
    return f"{value:,.0f} B"
