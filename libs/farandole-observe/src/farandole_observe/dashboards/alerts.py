"""The alerts: what must not go on unseen, each with the command by which one finds out more.

None names a step, so a new one is watched as soon as it is scraped; only how long a step may stand still follows from
the timeouts that the topology declares.
"""

from collections.abc import Iterator
from typing import NamedTuple

from farandole.fold import Topology
from farandole_observe.dashboards import expressions as ask
from farandole_observe.dashboards.pace import MINUTE, Pace

SCRAPED = 'job=~"farandole-.*"'
"""The jobs of the Prometheus configuration that stands beside the rules."""
STALLED = 15 * MINUTE
"""`stalled_after` of the settings, after which /livez fails; where a step declares a longer timeout, after that."""
_MARGIN = 30.0
_READ = 15.0  # a projector reads its figures every five seconds, so that a few are usual at any pace
_SERVICE, _INSTANCE, _JOB = "{{ $labels.service }}", "{{ $labels.instance }}", "{{ $labels.job }}"
_STEP = f"{_SERVICE}/{{{{ $labels.step }}}}"
_KIND, _REASON = "{{ $labels.kind }}", "{{ $labels.reason }}"
_VALUE, _TIMES = "{{ $value }}", "{{ $value | humanize }}"
_LASTING, _SHARE = "{{ $value | humanizeDuration }}", "{{ $value | humanizePercentage }}"


class Alert(NamedTuple):
    """`patience`: seconds for which it must be so. `summary` and `description` are Prometheus' templates.

    `runbook`: one line, with the command to run; a section of docs/operating.md has the alert's name, and says more.
    """

    name: str
    expression: str
    patience: float
    severity: str
    summary: str
    description: str
    runbook: str


def alerts(topology: Topology, pace: Pace) -> Iterator[Alert]:
    """Every alert, those of the workflows first."""
    yield from _of_workflows()
    yield from _of_work(pace)
    yield from _of_processes(topology, pace)
    yield from _of_the_log(pace)
    yield from _of_the_projection(pace)


def _of_workflows() -> Iterator[Alert]:
    kinds = "service, step, kind"
    where = '{kind!~"dead|no-worker"}'  # these have alerts of their own
    yield Alert(
        "FarandoleStuck",
        f"{ask.of_fleet('stuck', kinds, where)} > 0",
        5 * MINUTE,
        "warning",
        f"{_STEP}: {_KIND}",
        f"{_VALUE} things at {_STEP} do not go on ({_KIND}).",
        "farandole stuck; then farandole explain WORKFLOW",
    )
    yield Alert(
        "FarandoleDeadLetters",
        f"{ask.of_fleet('dead_letters', 'service, step, reason')} > 0",
        MINUTE,
        "warning",
        f"{_STEP} has dead letters ({_REASON})",
        f"{_VALUE} deliveries of {_STEP} were set aside ({_REASON}) and wait for somebody.",
        f"farandole dlq list --step {_STEP}; mend the cause, then farandole dlq redrive ID (or discard ID)",
    )


def _of_work(pace: Pace) -> Iterator[Alert]:
    oldest, owed = ask.of_fleet("owed_oldest_seconds"), ask.of_fleet("owed")
    growing = f"max by ({ask.STEP}) (deriv(farandole_fleet_owed[{pace.said(10 * MINUTE)}]))"
    window = pace.said(10 * MINUTE)
    failed, ran = ask.outcomes(ask.FAILED, window=window), ask.outcomes(ask.RAN, window=window)
    yield Alert(
        "FarandoleLagGrowing",
        f"{oldest} > {pace.seconds(5 * MINUTE):g} and {growing} > 0",
        10 * MINUTE,
        "warning",
        f"{_STEP} falls behind",
        f"{_STEP} is given more than it does; its oldest delivery is owed for {_LASTING}.",
        f"farandole top; then more replicas of {_SERVICE}, or more concurrency of {_STEP}",
    )
    yield Alert(
        "FarandoleNoWorker",
        f"{ask.of_fleet('workers')} == 0 and {owed} > 0",
        2 * MINUTE,
        "critical",
        f"nobody works at {_STEP}",
        f"{_STEP} owes deliveries, and no worker leases a partition of it.",
        f"farandole ps; then start the service {_SERVICE} (farandole run)",
    )
    yield Alert(
        "FarandoleStepFailing",
        f"{failed} / {ran} > 0.5",
        10 * MINUTE,
        "warning",
        f"{_STEP} fails more often than not",
        f"{_SHARE} of the attempts of {_STEP} failed.",
        f"farandole status --step {_STEP}; then farandole explain WORKFLOW {_STEP}",
    )


def _of_processes(topology: Topology, pace: Pace) -> Iterator[Alert]:
    yield Alert(
        "FarandoleNotScraped",
        f"up{{{SCRAPED}}} == 0",
        2 * MINUTE,
        "critical",
        f"{_INSTANCE} does not answer",
        f"{_INSTANCE} ({_JOB}) has not given its metrics.",
        f"farandole ps; then curl http://{_INSTANCE}/livez",
    )
    yield Alert(
        "FarandoleServiceAway",
        "max by (service) (farandole_fleet_owed) unless on (service) farandole_service_info",
        5 * MINUTE,
        "warning",
        f"no process of {_SERVICE} is seen",
        f"The service {_SERVICE} has steps, and no process of it is scraped.",
        f"farandole ps; then start {_SERVICE}, or name it in prometheus.yaml",
    )
    yield Alert(
        "FarandoleStandsStill",
        _stalled(topology, pace),
        MINUTE,
        "critical",
        f"{_STEP} stands still in {_INSTANCE}",
        f"Nothing of {_STEP} has moved for {_LASTING} though work is there; /livez fails.",
        f"curl http://{_INSTANCE}/livez; then farandole explain WORKFLOW {_STEP}",
    )


def _stalled(topology: Topology, pace: Pace) -> str:
    """Longer than a step may stand still; one that declares a longer timeout may for so long."""
    usual = f"{pace.seconds(STALLED):g}"
    found, others = [], []
    for name, info in sorted(topology.steps.items()):
        timeout = info.contract.timeout
        if info.exists and timeout is not None and timeout + _MARGIN > STALLED:
            service, _, step = name.partition("/")
            series = f'farandole_stalled_seconds{{service="{service}",step="{step}"}}'
            found.append(f"{series} > {pace.seconds(timeout + _MARGIN):g}")
            others.append(series)
    excepted = f" unless ({' or '.join(others)})" if others else ""
    return " or ".join([f"(farandole_stalled_seconds > {usual}{excepted})", *(f"({one})" for one in found)])


def _of_the_log(pace: Pace) -> Iterator[Alert]:
    window = pace.said(15 * MINUTE)
    lost = f'increase(farandole_lease_changes_total{{change=~"lost|fenced"}}[{window}])'
    yield Alert(
        "FarandoleCommitsFailing",
        f"sum by ({ask.STEP}) ({lost}) > 3",
        5 * MINUTE,
        "warning",
        f"{_STEP} loses its partitions",
        f"{_TIMES} times lately {_STEP} lost a partition, or had a commit refused.",
        "farandole doctor; then look for processes that are stopped, starved or cut off for seconds (farandole ps)",
    )
    yield Alert(
        "FarandoleCommitsSlow",
        f"{ask.quantile(0.99, ask.COMMITS, window=window)} > {pace.seconds(5.0):g}",
        10 * MINUTE,
        "warning",
        f"commits of {_STEP} are slow",
        f"One commit of {_STEP} in a hundred takes {_LASTING} or longer.",
        "farandole doctor; then look at the log's disk, or its brokers",
    )
    yield Alert(
        "FarandolePaused",
        f"sum by ({ask.STEP}) (farandole_paused_partitions) > 0",
        5 * MINUTE,
        "warning",
        f"{_STEP} has stopped reading",
        f"{_VALUE} partitions of {_STEP} are not polled, for 10,000 deliveries each are owed already.",
        f"farandole status --step {_STEP}; then mend what its retries and its parked deliveries wait for",
    )


def _of_the_projection(pace: Pace) -> Iterator[Alert]:
    yield Alert(
        "FarandoleProjectionBehind",
        f"max by (job, instance) (farandole_projection_lag_seconds) > {max(_READ, pace.seconds(MINUTE)):g}",
        2 * MINUTE,
        "warning",
        "the tables are behind the log",
        f"{_INSTANCE} knows of nothing newer than {_LASTING} in its tables.",
        "farandole status, which says how old it is; then look at farandole observe, and start more of them",
    )
    yield Alert(
        "FarandoleProjectionAway",
        "absent(farandole_projection_lag_seconds)",
        5 * MINUTE,
        "warning",
        "no projector is seen",
        "Nobody folds the log, so nobody knows what is stuck; workflows go on without.",
        "farandole observe --metrics 9464",
    )
    yield Alert(
        "FarandoleHistoryCut",
        f"max(increase(farandole_projection_cut_offsets_total[{pace.said(60 * MINUTE)}])) > 0",
        0.0,
        "warning",
        "the log was cut before it was folded",
        f"{_TIMES} offsets were gone before the projector came to them; the tables lack them.",
        "farandole status, which says so; then farandole observe sooner, or keep the log longer",
    )
