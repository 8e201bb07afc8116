"""What of a log is folded, where it is not everything: one workflow, or what was there at some time."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from farandole.events.facts import Fact
from farandole.events.manifest import Manifest
from farandole.log.record import Record


@dataclass(frozen=True, slots=True)
class Sieve:
    """`workflow`: its id, or empty for all of them. `until`: append time, seconds since the epoch."""

    workflow: str = ""
    until: float = inf

    def may_hold(self, record: Record) -> bool:
        """Whether a record of the journal may tell of what is wanted; cheap, before anything is decoded."""
        if record.time > self.until:
            return False
        return not self.workflow or (record.value is not None and self.workflow.encode() in record.value)

    def facts(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those that are wanted of a journal record."""
        return [fact for fact in facts if not self.workflow or fact.workflow == self.workflow]

    def wants(self, workflow: str, time: float) -> bool:
        """Whether an input of that workflow, appended at that time, is wanted."""
        return time <= self.until and self.workflow in ("", workflow)

    def declares(self, manifest: Manifest) -> bool:
        """Whether its version was declared by then, as far as that is known.

        What it says now stands for what it said then, for the log keeps a version's latest manifest alone; since when
        its steps subscribe, and were configured so, that tells itself.
        """
        return manifest.begun is None or manifest.begun <= self.until


EVERYTHING = Sieve()
