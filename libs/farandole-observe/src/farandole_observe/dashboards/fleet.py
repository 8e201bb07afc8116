"""The dashboard of everything at once: how workflows stand, the steps in the order of the flow, and each step beside
the others. Only the row of the flow names steps; a new one is on every other panel as soon as it is scraped.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.builders.stat import Panel as Stat
from grafana_foundation_sdk.builders.table import Panel as Table

from farandole.fold import Topology
from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.flow import in_order
from farandole_observe.dashboards.panels import (
    ORANGE,
    RED,
    STEP,
    THIRD,
    TO_STEP,
    WIDTH,
    board,
    grid,
    lines,
    link,
    number,
    row,
    transformed,
    unit,
)
from farandole_observe.dashboards.sources import METRICS
from farandole_observe.dashboards.targets import now, over_time, rows

_OURS = "and on (job, instance) farandole_service_info"
_COLUMNS = (
    ("completed a second", ask.outcomes("completed"), "cps"),
    ("failed a second", ask.outcomes(ask.FAILED), "cps"),
    ("p95", ask.quantile(0.95, ask.ATTEMPTS), "s"),
    ("owed", ask.of_fleet("owed"), "short"),
    ("oldest owed", ask.of_fleet("owed_oldest_seconds"), "s"),
    ("lag", f"max by ({ask.STEP}) (farandole_lag_seconds)", "s"),
    ("dead letters", f"sum by ({ask.STEP}) ({ask.of_fleet('dead_letters', f'{ask.STEP}, reason')})", "short"),
    ("workers", ask.of_fleet("workers"), "short"),
)


def fleet(topology: Topology) -> Dashboard:
    """The dashboard `farandole-fleet`."""
    made = board("fleet", "fleet", "How all workflows and steps stand.").with_row(row("Now"))
    for panel in _figures():
        made = made.with_panel(panel)
    made = made.with_row(row("The flow"))
    for name in in_order(topology):
        made = made.with_panel(_of_step(name))
    made = made.with_row(row("Steps")).with_panel(_steps())
    return _workers(_work(_speed(made)))


def _figures() -> list[Stat]:
    some = [(1, RED)]
    statuses = now(ask.of_fleet("workflows", "status"), "{{status}}")
    services = now("count by (service) (farandole_service_info)", "{{service}}")
    dead, kinds = f"{ask.STEP}, reason", f"{ask.STEP}, kind"
    return [
        number("Workflows", [statuses], width=THIRD),
        number("Dead letters", [now(ask.fleet_total("dead_letters", dead))], limits=some),
        number("Stuck", [now(ask.fleet_total("stuck", kinds))], limits=some),
        number("Owed", [now(ask.fleet_total("owed"))]),
        number(
            "Projection lags",
            [now("max(farandole_projection_lag_seconds)")],
            unit="s",
            limits=[(15, ORANGE), (60, RED)],
        ),
        number("Processes by service", [services], width=WIDTH),
    ]


def _of_step(name: str) -> Stat:
    service, _, step = name.partition("/")
    where = f'{{service="{service}",step="{step}"}}'
    exact = f',service="{service}",step="{step}"'
    targets = [
        now(ask.outcomes("completed", exact), "a second"),
        now(ask.of_fleet("owed", where=where), "owed"),
        now(f"sum by ({ask.STEP}) ({ask.of_fleet('dead_letters', f'{ask.STEP}, reason', where)})", "dead"),
    ]
    url = f"/d/farandole-step?var-service={service}&var-step={step}&${{__url_time_range}}"
    return number(name, targets).override_by_regexp(".*", [link("the step", url)])


def _steps() -> Table:
    said = "One row a step, as it is now."
    panel = grid("Steps", [rows(expression) for _, expression, _ in _COLUMNS], METRICS, said=said)
    panel = panel.with_transformation(transformed("merge"))
    names = {f"Value #{letter}": name for letter, (name, _, _) in zip("ABCDEFGH", _COLUMNS, strict=True)}
    order = {name: number for number, name in enumerate(["service", "step", *names])}
    panel = panel.with_transformation(
        transformed("organize", excludeByName={"Time": True}, renameByName=names, indexByName=order)
    )
    for name, _, kind in _COLUMNS:
        panel = panel.override_by_name(name, [unit(kind)])
    url = "/d/farandole-step?var-service=${__data.fields.service}&var-step=${__data.fields.step}&${__url_time_range}"
    return panel.override_by_name("step", [link("the step", url)])


def _speed(made: Dashboard) -> Dashboard:
    to_step = [link("the step", TO_STEP)]
    time = ask.quantile(0.95, ask.ATTEMPTS)
    commits = ask.quantile(0.99, ask.COMMITS, "service")
    records, number_of = (ask.rate(f"farandole_commit_records_{part}", "service") for part in ("sum", "count"))
    sizes = f"{records} / {number_of}"
    return (
        made.with_row(row("Throughput and time"))
        .with_panel(lines("Completed", [over_time(ask.outcomes("completed"), STEP)], unit="cps"))
        .with_panel(lines("Failed: retried or set aside", [over_time(ask.outcomes(ask.FAILED), STEP)], unit="cps"))
        .with_panel(
            lines(
                "95th percentile of attempts",
                [over_time(time, STEP, exemplars=True)],
                unit="s",
                said="A point is an attempt; it leads to the trace of its workflow.",
            ).override_by_regexp(".*", to_step)
        )
        .with_panel(lines("99th percentile of commits", [over_time(commits, "{{service}}")], unit="s"))
        .with_panel(lines("Records of a commit", [over_time(sizes, "{{service}}")]))
        .with_panel(lines("Published", [over_time(ask.rate("messaging_client_sent_messages_total"), STEP)], unit="cps"))
    )


def _work(made: Dashboard) -> Dashboard:
    lag = f"max by ({ask.STEP}) (farandole_lag_seconds)"
    kinds = "sum by (kind) (farandole_rows)"
    return (
        made.with_row(row("Work that is left"))
        .with_panel(lines("Owed", [over_time(ask.of_fleet("owed"), STEP)], width=THIRD))
        .with_panel(lines("Oldest owed", [over_time(ask.of_fleet("owed_oldest_seconds"), STEP)], unit="s", width=THIRD))
        .with_panel(lines("Not read yet", [over_time(ask.of_fleet("lag_offsets"), STEP)], width=THIRD))
        .with_panel(lines("Lag: age of the oldest in flight", [over_time(lag, STEP)], unit="s", width=THIRD))
        .with_panel(lines("Open groups", [over_time(ask.of_fleet("open_groups"), STEP)], width=THIRD))
        .with_panel(lines("Rows by kind", [over_time(kinds, "{{kind}}")], width=THIRD))
    )


def _workers(made: Dashboard) -> Dashboard:
    busy = f"sum by ({ask.STEP}) (farandole_running) / sum by ({ask.STEP}) (farandole_concurrency)"
    cpu = f"rate(process_cpu_seconds_total[{ask.RATE}]) {_OURS}"
    changes = ask.rate("farandole_lease_changes_total", "service, change")
    return (
        made.with_row(row("Workers"))
        .with_panel(lines("Workers", [over_time(ask.of_fleet("workers"), STEP)], width=THIRD))
        .with_panel(lines("Busy share of the concurrency", [over_time(busy, STEP)], unit="percentunit", width=THIRD))
        .with_panel(
            lines("Leases that came and went", [over_time(changes, "{{service}} {{change}}")], unit="cps", width=THIRD)
        )
        .with_panel(lines("Processor", [over_time(cpu, "{{instance}}")], unit="percentunit"))
        .with_panel(
            lines("Memory", [over_time(f"process_resident_memory_bytes {_OURS}", "{{instance}}")], unit="bytes")
        )
    )
