"""Rights under a namespace, as Kafka's lists name them."""

import pytest

from farandole.engines.kafka.granting import Entry, entry, granting
from farandole.engines.kafka.names import Names
from farandole.log.care import Right


@pytest.mark.parametrize(
    ("namespace", "name", "prefixed", "found"),
    [
        ("eo", "a.b", False, Entry("eo.a.b", "literal")),
        ("eo", "svc/", True, Entry("eo.svc/", "prefixed")),
        ("", "svc/", True, Entry("svc/", "prefixed")),
        ("eo", "", True, Entry("eo.", "prefixed")),
        ("", "", True, Entry("*", "literal")),
    ],
)
def test_a_right_stands_at_one_entry(namespace: str, name: str, prefixed: bool, found: Entry) -> None:
    """All of a log without a namespace is all of the cluster: Kafka knows no empty prefix."""
    assert entry(Right("topic", name, prefixed, ()), Names(namespace)) == found


def test_what_a_shell_would_read_otherwise_is_quoted() -> None:
    """A principal may have spaces, and `*` means files."""
    line = granting(Right("topic", "", True, ("DESCRIBE_CONFIGS", "READ")), Names(""), "User:CN=a b")
    assert line == (
        "--add --allow-principal 'User:CN=a b' --operation DescribeConfigs --operation Read "
        "--topic '*' --resource-pattern-type literal"
    )
