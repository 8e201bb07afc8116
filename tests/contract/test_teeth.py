"""The contract suite itself: it catches planted defects, lists all its cases, and knows nothing but the ports."""

import ast
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from farandole.engines.memory.mutants import MUTANTS
from farandole.testing import contract
from farandole.testing.contract import CASES
from farandole.testing.contract.rig import Case
from tests.contract.memory_rig import MemoryRig

FOLDER = Path(contract.__path__[0])
ALLOWED = ("farandole.events", "farandole.log", "farandole.testing.contract")
STANDS_FOR = {  # each defect, and a case whose sentence it breaks
    "no-fencing": "fencing.a_stopped_member_is_fenced",
    "lost-lease-committed": "fencing.a_stopped_member_is_fenced",
    "epoch-reused": "takeover.a_released_lease_begins_where_it_was_committed",
    "position-without-outputs": "crash.a_crash_leaves_all_of_a_call_or_nothing",
    "uncommitted-leak": "crash.what_is_uncommitted_never_leaks",
    "state-restored-short": "compaction.a_restore_is_complete",
    "tombstone-restored": "compaction.a_restore_gives_the_latest_rows",
    "duplicate-append": "identity.an_append_of_a_crashed_handle_can_be_repeated",
    "refused-half-written": "limits.a_larger_record_is_refused",
    "overtaking": "crash.a_crash_between_commits_leaves_a_prefix",
    "unrestored-polled": "compaction.records_come_after_the_restore_only",
    "immortal": "takeover.a_killed_member_is_replaced",
    "clinging": "takeover.a_released_lease_wakes_who_waits_for_it",
    "reorder": "order.polled_records_keep_their_order",
    "greedy": "groups.members_share_evenly",
    "deaf": "reading.a_waiting_member_is_woken",
    "now-forgotten": "starting.now_is_now_only_once",
    "pause-skips": "pausing.a_paused_topic_is_not_polled",
    "released-redelivers": "takeover.a_killed_member_is_replaced",
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_defect_is_caught(mutant: str) -> None:
    """Each defect breaks the case that stands for what it breaks, with an AssertionError that says so."""
    with pytest.raises(AssertionError, match=r"\w+"):
        MemoryRig(seed=1, mutants={mutant}).run(CASES[STANDS_FOR[mutant]])


def test_every_case_is_listed() -> None:
    """A function that takes a rig and nothing else is a case; one that no list names would never run."""
    assert set(written_cases()) == set(CASES.values())
    assert len(CASES) == len(set(CASES.values()))


def test_every_case_says_what_it_demands() -> None:
    """An engine's author reads the sentence, not the code."""
    for name, case in CASES.items():
        assert inspect.getdoc(case), name


def test_the_suite_knows_nothing_but_the_ports() -> None:
    """It imports events, log and the standard library: no engine, no runtime, no test tool."""
    for path in FOLDER.glob("*.py"):
        for name in imported(path):
            standard = name.split(".", maxsplit=1)[0] in sys.stdlib_module_names
            assert standard or name.startswith(ALLOWED), f"{path.name} imports {name}"


def test_a_case_runs_to_its_end() -> None:
    """The rig reports what a case raises, and closes what it left open."""

    async def broken(rig: object) -> None:
        raise AssertionError("broken on purpose")

    with pytest.raises(AssertionError, match="on purpose"):
        MemoryRig().run(broken)


def written_cases() -> Iterator[Case]:
    for module in pkgutil.iter_modules(contract.__path__, "farandole.testing.contract."):
        for function in vars(import_module(module.name)).values():
            with suppress(TypeError, ValueError):
                own = inspect.iscoroutinefunction(function) and function.__module__ == module.name
                if own and list(inspect.signature(function).parameters) == ["rig"]:
                    yield function


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
