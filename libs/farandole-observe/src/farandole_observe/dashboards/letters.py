"""The dashboard of dead letters and of what is stuck: how many, where and why; and each of them, from the tables."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.panels import (
    ORANGE,
    RED,
    STEP,
    THIRD,
    TO_WORKFLOW,
    board,
    grid,
    lines,
    link,
    number,
    row,
)
from farandole_observe.dashboards.targets import now, over_time, sql

DEAD = """
SELECT d.workflow, d.step, d.reason, d.error, d.attempt, to_timestamp(d.since) AS since, e.type, e.key, d.id
FROM deliveries AS d LEFT JOIN events AS e ON e.workflow = d.workflow AND e.event = d.event
WHERE d.state = 'dead' ORDER BY d.since DESC LIMIT 200
"""
OPEN_GROUPS = """
SELECT g.workflow, g.step, g."group", g.present, g.missing, to_timestamp(g.since) AS since, w.status
FROM groups AS g JOIN workflows AS w ON w.workflow = g.workflow
WHERE g.standing = 'open' ORDER BY g.since LIMIT 200
"""
LOOSE = """
SELECT workflow, source, type, key, to_timestamp(time) AS time FROM events WHERE loose ORDER BY time LIMIT 200
"""


def letters() -> Dashboard:
    """The dashboard `farandole-letters`."""
    reasons, kinds = f"{ask.STEP}, reason", f"{ask.STEP}, kind"
    dead, stuck = ask.of_fleet("dead_letters", reasons), ask.of_fleet("stuck", kinds)
    became = ask.rate("farandole_dead_letters_total", reasons)
    ended = ask.rate("farandole_outcomes_total", "service, step, ending", '{ending=~"redriven|discarded"}')
    made = board("letters", "dead letters and stuck", "What does not go on by itself; farandole stuck, farandole dlq.")
    made = (
        made.with_row(row("Dead letters"))
        .with_panel(number("Standing", [now(f"sum({dead})")], limits=[(1, RED)], width=THIRD))
        .with_panel(number("By reason", [now(f"sum by (reason) ({dead}) > 0", "{{reason}}")], width=THIRD))
        .with_panel(number("Stuck by kind", [now(f"sum by (kind) ({stuck}) > 0", "{{kind}}")], width=THIRD))
        .with_panel(lines("Standing by step and reason", [over_time(f"{dead} > 0", f"{STEP} {{{{reason}}}}")]))
        .with_panel(lines("Became dead letters", [over_time(became, f"{STEP} {{{{reason}}}}")], unit="cps"))
        .with_panel(lines("Redriven and discarded", [over_time(ended, f"{STEP} {{{{ending}}}}")], unit="cps"))
    )
    made = made.with_panel(
        lines("Stuck by step and kind", [over_time(f"{stuck} > 0", f"{STEP} {{{{kind}}}}")])
    ).with_panel(
        number(
            "Oldest owed by step",
            [now(ask.of_fleet("owed_oldest_seconds"), STEP)],
            unit="s",
            limits=[(300, ORANGE), (3600, RED)],
            width=24,
        )
    )
    made = made.with_row(row("Each of them"))
    for title, text in (("Dead letters", DEAD), ("Groups that lack members", OPEN_GROUPS), ("Taken by nobody", LOOSE)):
        panel = grid(title, [sql(text)], said="From the projection's tables.")
        made = made.with_panel(panel.override_by_name("workflow", [link("the workflow", TO_WORKFLOW)]))
    return made
