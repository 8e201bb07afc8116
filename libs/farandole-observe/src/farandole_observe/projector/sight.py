"""What a projector reads: the journal, the manifests and the topics of accepted inputs; and what a record is."""

from typing import NamedTuple

from farandole.events.codec import decode
from farandole.events.envelope import Envelope
from farandole.events.errors import DecodeError
from farandole.events.facts import FACTS, Fact, read_facts
from farandole.events.ids import workflow_id
from farandole.events.topics import JOURNAL, MANIFESTS
from farandole.fold import Topology
from farandole.log.record import Record


class Facts(NamedTuple):
    """A record of the journal."""

    record: Record
    facts: list[Fact]


class Input(NamedTuple):
    """A record of a topic whose type is accepted from outside; what a step published there is one too."""

    record: Record
    envelope: Envelope
    workflow: str


def wanted(topology: Topology) -> frozenset[str]:
    """The topics that are folded."""
    return topology.accepted_topics | {JOURNAL, MANIFESTS}


def facts_of(record: Record) -> Facts | None:
    """None for what is no journal record of ours."""
    try:
        envelope = decode(record.key, record.value, record.headers)
        return Facts(record, read_facts(envelope.data)) if envelope.type == FACTS else None
    except (DecodeError, ValueError):
        return None


def input_of(record: Record) -> Input | None:
    """None for what cannot be decoded: no input; the steps that take it tell of it in the journal."""
    try:
        envelope = decode(record.key, record.value, record.headers)
    except DecodeError:
        return None
    return Input(record, envelope, envelope.workflow or workflow_id(envelope.source, envelope.id))
