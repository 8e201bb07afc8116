"""The dashboard of one workflow: what no metric tells, from the projection's tables and from its trace."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, TextBoxVariable
from grafana_foundation_sdk.models.dashboard import VariableHide

from farandole_observe.dashboards.panels import TO_WORKFLOW, board, grid, link, one_trace, row, sql_variable
from farandole_observe.dashboards.sources import TRACES
from farandole_observe.dashboards.targets import search, sql, trace

_ONE = "workflow = ${workflow:sqlstring}"
STANDS = f"""
SELECT workflow, status, done, "left", dead, parked, to_timestamp(started) AS started, to_timestamp(updated) AS updated,
       updated - started AS seconds, truncated
FROM workflows WHERE {_ONE}
"""
DELIVERIES = """
SELECT d.step, d.state, d.attempt, to_timestamp(d.since) AS since, to_timestamp(nullif(d.due, 0)) AS due,
       e.type, e.key, d.reason, d.error
FROM deliveries AS d LEFT JOIN events AS e ON e.workflow = d.workflow AND e.event = d.event
WHERE d.workflow = ${workflow:sqlstring}
ORDER BY d.state IN ('owed', 'retrying', 'parked', 'dead') DESC, d.since LIMIT 1000
"""
ATTEMPTS = """
SELECT d.step, a.attempt, a.ending, to_timestamp(a.started) AS started, to_timestamp(a.finished) AS finished,
       a.finished - a.started AS seconds, a.worker, a.version, a.error
FROM attempts AS a JOIN deliveries AS d ON d.workflow = a.workflow AND d.delivery = a.delivery
WHERE a.workflow = ${workflow:sqlstring}
ORDER BY a.started LIMIT 1000
"""
GROUPS = f"""
SELECT step, "group", standing, present, missing, to_timestamp(since) AS since FROM groups WHERE {_ONE} ORDER BY since
"""
LATEST = """
SELECT w.workflow, w.status, e.type, e.key, to_timestamp(w.started) AS started, to_timestamp(w.updated) AS updated,
       w.done, w."left", w.dead
FROM workflows AS w LEFT JOIN LATERAL (
  SELECT i.type, i.key FROM events AS i
  WHERE i.workflow = w.workflow AND i.given_by IS NULL AND i.counted ORDER BY i.time, i.event LIMIT 1
) AS e ON true
WHERE w.counted > 0 AND w.started BETWEEN $__unixEpochFrom() AND $__unixEpochTo()
ORDER BY w.started DESC LIMIT 100
"""
SERVICE = f"""
SELECT split_part(step, '/', 1) FROM deliveries WHERE {_ONE} AND told ORDER BY delivery LIMIT 1
"""


def workflow() -> Dashboard:
    """The dashboard `farandole-workflow`. `service`: one that has a span in its trace, for Jaeger wants to know."""
    tags = 'messaging.message.conversation_id="$workflow"'
    here = "/d/farandole-workflow?var-workflow=$workflow&var-trace=${__value.raw}"
    found = grid("Its traces", [search("$service", tags)], TRACES, said="A workflow is one trace, if it was sampled.")
    started = grid("Workflows that started in this time", [sql(LATEST)])
    return (
        board("workflow", "one workflow", "What a workflow did, does and waits for.")
        .time("now-24h", "now")
        .with_variable(TextBoxVariable("workflow").label("Workflow"))
        .with_variable(TextBoxVariable("trace").label("Trace"))
        .with_variable(sql_variable("service", SERVICE, "Service").hide(VariableHide.HIDE_VARIABLE))
        .with_row(row("How it stands"))
        .with_panel(grid("Workflow", [sql(STANDS)]).height(4))
        .with_panel(grid("Deliveries, what is left first", [sql(DELIVERIES)]))
        .with_panel(grid("Attempts", [sql(ATTEMPTS)]))
        .with_panel(grid("Groups and joins", [sql(GROUPS)]).height(6))
        .with_row(row("Trace"))
        .with_panel(found.height(5).override_by_name("Trace ID", [link("show it below", here)]))
        .with_panel(one_trace("Trace $trace", trace("$trace")))
        .with_row(row("Others"))
        .with_panel(started.override_by_name("workflow", [link("the workflow", TO_WORKFLOW)]))
    )
