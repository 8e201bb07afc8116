"""What can be wrong with the Kafka that tests use."""

from farandole.events.errors import FarandoleError


class NoKafka(FarandoleError):
    """No Kafka is to be had here; the text says what was tried and what to install."""


class KafkaFailed(FarandoleError):
    """A Kafka that was found or started does not answer; the text ends with what it logged last."""
