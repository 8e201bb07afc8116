"""What `topics apply` may set by itself: never anything by which a record could go."""

import pytest

from farandole.engines.kafka.applying import loses_nothing, wanted_settings
from farandole.log.care import Change, Wish, changes_of_shape
from farandole.log.record import TopicSpec


@pytest.mark.parametrize(
    ("setting", "there", "wanted", "harmless"),
    [
        ("retention.ms", "604800000", "-1", True),
        ("retention.ms", "604800000", "604800001", True),
        ("retention.ms", "-1", "604800000", False),
        ("retention.ms", "604800000", "604799999", False),
        ("cleanup.policy", "compact,delete", "compact", True),
        ("cleanup.policy", "delete, compact", "compact", True),
        ("cleanup.policy", "compact,delete", "delete", False),
        ("cleanup.policy", "delete", "compact", False),
        ("cleanup.policy", "compact", "delete", False),
        ("message.timestamp.type", "CreateTime", "LogAppendTime", True),
    ],
)
def test_only_what_deletes_nothing_is_set(setting: str, there: str, wanted: str, harmless: bool) -> None:
    """Longer retention is; a shorter one, and another way of cleaning up, are left to people."""
    assert loses_nothing(setting, there, wanted) is harmless


def test_retention_is_of_domain_topics_only() -> None:
    """Journal and state stay whole."""
    wish = Wish([], frozenset({"a.b"}), None, 86_400.5)
    assert wanted_settings(TopicSpec("a.b"), wish)["retention.ms"] == "86400500"
    assert wanted_settings(TopicSpec("farandole.journal"), wish)["retention.ms"] == "-1"
    assert "retention.ms" not in wanted_settings(TopicSpec("s.t.state", 1, compacted=True), wish)


def test_a_shape_that_differs_is_never_changed() -> None:
    """What is missing is made; the rest is said."""
    wanted = [TopicSpec("b", 2), TopicSpec("a", 1, compacted=True), TopicSpec("c")]
    assert changes_of_shape(wanted, [TopicSpec("b", 3), TopicSpec("c"), TopicSpec("other", 9)]) == [
        Change("a", "create", "", "", "1 partition, compacted"),
        Change("b", "by-hand", "shape", "3 partitions, all kept", "2 partitions, all kept"),
    ]
