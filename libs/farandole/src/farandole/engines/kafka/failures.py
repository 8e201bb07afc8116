"""From Kafka's errors to the one tree of errors, each with the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from farandole.events.errors import LogUnavailable

RIGHTS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
}
"""What no repetition mends. A connection's login may fail for a moment, between one token and the next."""
IDENTITY = {KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION}
PASSING = {
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NETWORK_EXCEPTION,
    KafkaError._NOENT,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
}
"""What passes by itself: a topic just made, a leader just elected, a transaction just ending."""


def error_of(raised: BaseException) -> KafkaError:
    """The error that an exception of the client carries."""
    error = raised.args[0] if raised.args else None
    if isinstance(error, KafkaError):
        return error
    return KafkaError(KafkaError._FAIL, f"{type(raised).__name__}: {raised}")


def unavailable(what: str, error: KafkaError) -> LogUnavailable:
    """What could not be done, and what to do about it."""
    if error.code() in IDENTITY:
        remedy = "see to FARANDOLE_KAFKA_USER, its password and mechanism= in the log's URL"
    elif error.code() in RIGHTS:
        remedy = "give this user the rights that it needs (farandole doctor names them)"
    else:
        remedy = "see to the brokers and the network, then go on"
    return LogUnavailable(f"{what}: {error.str()} ({error.name()}); {remedy}")


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Whatever Kafka raises inside comes out as LogUnavailable."""
    try:
        yield
    except KafkaException as raised:
        raise unavailable(what, error_of(raised)) from raised
