"""The names that the library keeps for itself: of topics, groups and transactional ids."""

JOURNAL = "farandole.journal"
MANIFESTS = "farandole.manifests"
CONTROL = "farandole.control"
ENGINE = "farandole.engine."
"""What an engine keeps for itself begins with this, and is no topic of the log."""
BEGINNINGS = f"{ENGINE}groups"
"""On Kafka: which partitions a group has begun with; compacted."""
PROOFS = f"{ENGINE}proofs"
"""On Kafka: empty for ever; groups commit positions in it, to prove that their true coordinator answers them."""
CLIENT = "farandole.client/"
"""What the transactional ids of who publishes from outside begin with; no service can be called so."""


def inbox(service: str, step: str) -> str:
    """What is re-keyed for a step, or sent to it alone."""
    return f"{service}.{step}.inbox"


def state(service: str, step: str) -> str:
    """A step's rows; compacted."""
    return f"{service}.{step}.state"


def dead_letters(service: str) -> str:
    """A service's dlq: original bytes with reason headers."""
    return f"{service}.dlq"


def own(service: str) -> str:
    """What the groups of a service begin with, and its transactional ids."""
    return f"{service}/"


def forwarder(producer: str, topic: str) -> str:
    """The group that re-keys one topic for a step (`service/step`)."""
    return f"{producer}/{topic}"
