"""The topics that services declare: each once, leased ones in step, and what exists stays as it is."""

from farandole import Event, Service
from farandole.log.record import TopicSpec
from farandole.runtime.ground import domain_topics, ground, ground_of_all


class Placed(Event, type="g.placed", key="order"):
    order: str


class Paid(Event, type="g.paid", key="order"):
    order: str


class Sent(Event, type="g.sent", key="order", final=True):
    order: str


selling = Service("selling", accepts=[Placed])
sending = Service("sending")


@selling.step
def take(placed: Placed) -> Paid:
    return Paid(order=placed.order)


@sending.step(order_by=None)
def send(paid: Paid) -> Sent:
    return Sent(order=paid.order)


def test_a_service_declares_its_events_its_steps_and_what_the_library_keeps() -> None:
    """Inbox and state have as many partitions as the topic that the step leases."""
    specs = {spec.name: spec for spec in ground(selling, {"g.placed": 7}, 4)}
    assert specs == {
        spec.name: spec
        for spec in [
            TopicSpec("farandole.journal", 4),
            TopicSpec("farandole.manifests", 1, compacted=True),
            TopicSpec("farandole.control", 1, compacted=True),
            TopicSpec("selling.dlq", 1),
            TopicSpec("g.placed", 7),
            TopicSpec("g.paid", 4),
            TopicSpec("selling.take.inbox", 7),
            TopicSpec("selling.take.state", 7, compacted=True),
        ]
    }
    assert domain_topics(selling) == {"g.placed", "g.paid"}


def test_of_several_services_each_topic_is_named_once_and_alike() -> None:
    """What one makes, the next one finds, as if they started one after the other."""
    specs = ground_of_all([selling, sending], {"g.paid": 3, "sending.send.inbox": 5}, 4)
    counts = {spec.name: spec.partitions for spec in specs}
    assert len(counts) == len(specs) == 12
    assert (counts["g.paid"], counts["g.sent"], counts["farandole.journal"]) == (3, 4, 4)
    assert counts["sending.send.state"] == counts["sending.send.inbox"] == (5 if send.fed_by_inbox else 3)
