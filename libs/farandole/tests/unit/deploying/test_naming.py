"""Names that Kubernetes takes, of topics that have others."""

import re

from hypothesis import given
from hypothesis import strategies as some

from farandole.deploying.naming import resource_name

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
TOPICS = some.text("aZ9._-", min_size=1, max_size=249)


@given(TOPICS)
def test_every_topic_has_a_name_that_is_one(topic: str) -> None:
    """Its own where that is possible."""
    name = resource_name(topic)
    assert SUBDOMAIN.fullmatch(name)
    assert len(name) <= 253
    assert (name == topic) == bool(SUBDOMAIN.fullmatch(topic))


def test_no_two_topics_get_the_same() -> None:
    """However alike they look once they are written in small letters."""
    topics = ["a.b", "a_b", "A.b", "a-b", "a__b", "_a.b", "a.b_", "___"]
    assert len({resource_name(topic) for topic in topics}) == len(topics)
