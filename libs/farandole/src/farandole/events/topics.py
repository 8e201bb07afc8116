"""The names of the topics that the library keeps for itself."""

JOURNAL = "farandole.journal"
MANIFESTS = "farandole.manifests"
CONTROL = "farandole.control"


def inbox(service: str, step: str) -> str:
    """What is re-keyed for a step, or sent to it alone."""
    return f"{service}.{step}.inbox"


def state(service: str, step: str) -> str:
    """A step's rows; compacted."""
    return f"{service}.{step}.state"


def dead_letters(service: str) -> str:
    """A service's dlq: original bytes with reason headers."""
    return f"{service}.dlq"


def forwarder(producer: str, topic: str) -> str:
    """The group that re-keys one topic for a step (`service/step`)."""
    return f"{producer}/{topic}"
