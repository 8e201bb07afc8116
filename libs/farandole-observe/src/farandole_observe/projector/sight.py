"""What a projector reads: the journal, the manifests and the topics of accepted inputs; and what a record is."""

from typing import NamedTuple

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.facts import FACTS, FACTS_VERSION, Fact, read_known
from farandole.events.ids import workflow_id
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Topology
from farandole.log.record import Record


class Facts(NamedTuple):
    """A record of the journal. `unknown`: what of it this version does not understand: facts, or all of it (1)."""

    record: Record
    facts: list[Fact]
    unknown: int = 0


class Input(NamedTuple):
    """A record of a topic whose type is accepted from outside; what a step published there is one too."""

    record: Record
    envelope: Envelope
    workflow: str


def wanted(topology: Topology) -> frozenset[str]:
    """The topics that are folded."""
    return topology.accepted_topics | {JOURNAL, MANIFESTS}


def facts_of(record: Record) -> Facts:
    """Without facts where it is no journal record of ours, or of a newer version."""
    try:
        envelope = decode(record.key, record.value, record.headers)
        if envelope.type == FACTS and envelope.version <= FACTS_VERSION:
            return Facts(record, *read_known(envelope.data))
    except (DecodeError, ValueError):
        pass
    return Facts(record, [], 1)


def input_of(record: Record) -> Input | None:
    """None for what cannot be decoded: no input; the steps that take it tell of it in the journal."""
    try:
        envelope = decode(record.key, record.value, record.headers)
    except DecodeError:
        return None
    return Input(record, envelope, envelope.workflow or workflow_id(envelope.source, envelope.id))
