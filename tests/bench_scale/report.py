"""The coefficients for people."""

from rich.console import Console
from rich.table import Table

from scripts.scale.coefficients import Coefficients


def show(found: Coefficients, console: Console) -> None:
    """What each thing costs, what was measured, and how far the fits are off."""
    costs = Table("µs of a core", "commit", "partition", "event", "byte / 1,000", "standing by, ms/s", title="Costs")
    for name in ("service", "broker", "replica"):
        work = getattr(found, name)
        per = (1e6 * work.commit, 1e6 * work.partition, 1e6 * work.event, 1e9 * work.byte, 1e3 * work.second)
        costs.add_row(name, *(f"{value:,.4g}" for value in per))
    full = Table("size", "events/s", "ms a commit", "cores, service", "cores, brokers", title="As fast as it goes")
    for each in found.full:
        figures = (f"{each.rate:,.0f}", f"{1000 * each.cycle:.1f}", f"{each.service:.2f}", f"{each.broker:.2f}")
        full.add_row(f"{each.size:,.0f} B", *figures)
    points = Table("events/s", "commits/s", "p50 ms", "p99 ms", "cores, service", "cores, brokers", title="Fed")
    for point in found.points:
        delays = (f"{1000 * point.p50:.2f}", f"{1000 * point.p99:.2f}")
        cores = (f"{point.service:.3f}", f"{point.broker:.3f}")
        points.add_row(f"{point.rate:,.0f}", f"{point.commits:,.0f}", *delays, *cores)
    floods = Table("producers", "partitions", "commits/s", "p50 ms", "cores, brokers", title="Commits alone")
    for flood in found.floods:
        rate, p50 = f"{flood.rate:,.0f}", f"{1000 * flood.p50:.2f}"
        floods.add_row(str(flood.producers), str(flood.partitions), rate, p50, f"{flood.broker:.2f}")
    for table in (costs, full, points, floods, _others(found)):
        console.print(table)
    console.print(
        f"largest residuals: {', '.join(f'{n} {v:.0%}' for n, v in found.residuals.items())}", highlight=False
    )


def _others(found: Coefficients) -> Table:
    table = Table("what", "figure", title="Beside")
    disk, member, process = found.disk, found.member, found.process
    rows = [
        ("disk: event beside its body, fact, commit", f"{disk.event:.0f} B, {disk.fact:.0f} B, {disk.commit:.0f} B"),
        ("member of a group: service, brokers", f"{1e6 * member.service:.0f} µs, {1e6 * member.broker:.0f} µs"),
        ("member of a group: disk", f"{member.disk:.0f} B"),
        ("process: memory, a partition more", f"{process.memory / 2**20:.0f} MiB, {process.partition / 2**10:.0f} KiB"),
        ("process: connections to one broker", f"{process.connections:.0f}"),
    ]
    for name, each in found.tables.items():
        said = f"{each.rate:,.0f} facts/s, {each.fact:.0f} B a fact, {each.memory / 2**20:.0f} MiB"
        rows.append((f"projector into {name}", said))
    for row in rows:
        table.add_row(*row)
    return table
