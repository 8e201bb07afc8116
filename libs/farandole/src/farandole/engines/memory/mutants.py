"""Planted defects, switched on in tests only: they prove that contract suite and simulation have teeth."""

from collections.abc import Iterable

from farandole.events.errors import ConfigError

MUTANTS = {
    "no-fencing": "a commit counts whoever holds the lease",
    "lost-lease-committed": "what a commit reports as fenced is written none the less",
    "epoch-reused": "a lease is granted with the epoch that its last holder had",
    "position-without-outputs": "positions are durable before the outputs are",
    "uncommitted-leak": "a commit writes what its arguments hold when it is done, not when it is called",
    "state-restored-short": "a restore ends one row too early",
    "tombstone-restored": "a restore gives deleted rows too",
    "duplicate-append": "identities are not remembered",
    "refused-half-written": "what stands before a refused record is written",
    "overtaking": "a commit does not wait for those that were called before it",
    "unrestored-polled": "records are handed out before the state was restored",
    "immortal": "a dead member keeps its leases",
    "clinging": "a closed member keeps its leases until they run out",
    "reorder": "two records of a batch are handed out in the wrong order",
    "greedy": "a member keeps what is beyond its share",
    "deaf": "a commit wakes nobody",
    "now-forgotten": "where a group began with start=now is not durable",
    "pause-skips": "what came while a topic was paused is skipped",
    "released-redelivers": "a lease that changes hands begins again at the start",
}
"""Name of each defect, and what it does wrong."""


def known(mutants: Iterable[str]) -> frozenset[str]:
    """The names as a set. Raises ConfigError for one that does not exist: it would prove nothing."""
    chosen = frozenset(mutants)
    if strange := chosen - MUTANTS.keys():
        raise ConfigError(f"no such mutant: {', '.join(sorted(strange))}; there are {', '.join(MUTANTS)}")
    return chosen
