"""The alerts as they ship, on series that are written down: each fires when it has lasted, not sooner."""

import json
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from farandole_observe.dashboards.rules import rules
from tests.observe.dashboards.asked import DEPLOY, ours
from tests.support.prometheus import program

pytestmark = pytest.mark.slow
STEP = 'service="shop",step="pack"'


class Case(NamedTuple):
    """`series`: names with values, one a minute. `not_yet`, `fires`: minutes. `never`: series on which it must not."""

    series: dict[str, str]
    not_yet: int
    fires: int
    never: dict[str, str]


OWED, OLDEST = f"farandole_fleet_owed{{{STEP}}}", f"farandole_fleet_owed_oldest_seconds{{{STEP}}}"
INFO = 'farandole_service_info{service="shop",version="1"}'
COMPLETED, RETRYING = (f'farandole_outcomes_total{{{STEP},ending="{ending}"}}' for ending in ("completed", "retrying"))
LOST, GRANTED = (f'farandole_lease_changes_total{{{STEP},change="{change}"}}' for change in ("lost", "granted"))
FAST, SLOW, ALL = (
    f'messaging_client_operation_duration_seconds_bucket{{{STEP},le="{bound}"}}' for bound in ("5", "10", "+Inf")
)
WORKERS, STALLED = f"farandole_fleet_workers{{{STEP}}}", f'farandole_stalled_seconds{{{STEP},instance="a:1"}}'
BEHIND = 'farandole_projection_lag_seconds{instance="a:1"}'
CASES = {
    "FarandoleStuck": Case(
        {f'farandole_fleet_stuck{{{STEP},kind="overdue"}}': "1x20"},
        4,
        5,
        {f'farandole_fleet_stuck{{{STEP},kind="{kind}"}}': "1x20" for kind in ("no-worker", "dead")},
    ),
    "FarandoleDeadLetters": Case(
        {f'farandole_fleet_dead_letters{{{STEP},reason="exhausted"}}': "0 1x10"},
        1,
        2,
        {f'farandole_fleet_dead_letters{{{STEP},reason="exhausted"}}': "0x10"},
    ),
    "FarandoleLagGrowing": Case(
        {OWED: "0+10x40", OLDEST: "0+60x40"},
        15,
        16,
        {OWED: "500x40", OLDEST: "0+60x40"},  # much, but no more than before
    ),
    "FarandoleNoWorker": Case(
        {WORKERS: "1x5 0x20", OWED: "5x30"},
        7,
        8,
        {WORKERS: "1x5 0x20", OWED: "0x30"},  # nothing is owed
    ),
    "FarandoleStepFailing": Case(
        {RETRYING: "0+2x40", COMPLETED: "0+1x40"}, 10, 11, {RETRYING: "0+1x40", COMPLETED: "0+3x40"}
    ),
    "FarandoleNotScraped": Case(
        {'up{job="farandole-services",instance="a:1"}': "1x3 0x10"}, 5, 6, {'up{job="others",instance="a:1"}': "0x10"}
    ),
    "FarandoleServiceAway": Case({OWED: "0x30", INFO: "1x5 stale"}, 10, 11, {OWED: "0x30", INFO: "1x30"}),
    "FarandoleStandsStill": Case({STALLED: "0+60x40"}, 16, 17, {STALLED: "900x40"}),
    "FarandoleCommitsFailing": Case({LOST: "0 0 0 0 10x30"}, 8, 9, {GRANTED: "0+10x30"}),
    "FarandoleCommitsSlow": Case(
        {FAST: "0x40", SLOW: "0+10x40", ALL: "0+10x40"}, 10, 11, {FAST: "0+10x40", SLOW: "0+10x40", ALL: "0+10x40"}
    ),
    "FarandolePaused": Case(
        {f"farandole_paused_partitions{{{STEP}}}": "3x20"}, 4, 5, {f"farandole_paused_partitions{{{STEP}}}": "0x20"}
    ),
    "FarandoleProjectionBehind": Case({BEHIND: "0+30x20"}, 4, 5, {BEHIND: "6x20"}),
    "FarandoleProjectionAway": Case({}, 4, 5, {BEHIND: "0x20"}),
    "FarandoleHistoryCut": Case(
        {"farandole_projection_cut_offsets_total": "0x5 7x10"}, 5, 6, {"farandole_projection_cut_offsets_total": "7x20"}
    ),
}


def test_every_alert_has_a_case() -> None:
    """One that is added needs one."""
    assert {rule["alert"] for rule in rules(ours())["groups"][1]["rules"]} == CASES.keys()


def test_promtool_finds_nothing_wrong_with_what_is_committed() -> None:
    """Rules, and the configuration that names them."""
    for what in ("rules", "config"):
        path = DEPLOY / "prometheus" / ("rules.yaml" if what == "rules" else "prometheus.yaml")
        done = subprocess.run([program("promtool"), "check", what, path], capture_output=True, text=True, check=False)
        assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stderr


def test_each_fires_when_it_has_been_so_for_long_enough_and_not_before(tmp_path: Path) -> None:
    """By the numbers that ship; and not where all is well."""
    tests = []
    for name, case in CASES.items():
        firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) or vector(0)'
        for series, moments in ((case.series, {case.not_yet: 0, case.fires: 1}), (case.never, {case.fires + 2: 0})):
            expected = [
                {"expr": firing, "eval_time": f"{at}m", "exp_samples": [{"labels": "{}", "value": number}]}
                for at, number in moments.items()
            ]
            given = [{"series": one, "values": values} for one, values in series.items()]
            tests.append({"interval": "1m", "input_series": given, "promql_expr_test": expected, "name": name})
    path = tmp_path / "tests.yaml"
    document = {"rule_files": [str(DEPLOY / "prometheus" / "rules.yaml")], "evaluation_interval": "1m", "tests": tests}
    path.write_text(json.dumps(document))
    done = subprocess.run([program("promtool"), "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
