"""The contract of the log as cases that any engine's tests run through a `Rig`; it names no engine and no test tool."""

from collections.abc import Mapping
from typing import Final

from farandole.testing.contract import (
    closing,
    commit,
    compaction,
    crash,
    fencing,
    foreign,
    groups,
    identity,
    idle,
    limits,
    order,
    pausing,
    pruning,
    reading,
    starting,
    storm,
    takeover,
    topics,
)
from farandole.testing.contract.rig import Case

CASES: Final[Mapping[str, Case]] = {
    f"{idea}.{case.__name__}": case
    for idea, cases in {
        "order": order.CASES,
        "identity": identity.CASES,
        "groups": groups.CASES,
        "takeover": takeover.CASES,
        "fencing": fencing.CASES,
        "commit": commit.CASES,
        "crash": crash.CASES,
        "compaction": compaction.CASES,
        "reading": reading.CASES,
        "foreign": foreign.CASES,
        "limits": limits.CASES,
        "starting": starting.CASES,
        "topics": topics.CASES,
        "pausing": pausing.CASES,
        "pruning": pruning.CASES,
        "closing": closing.CASES,
        "idle": idle.CASES,
        "storm": storm.CASES,
    }.items()
    for case in cases
}
"""Every case by its name, `idea.sentence`."""
