"""What a service may do, from its declaration: nothing that it does not do, and nothing that another right implies."""

from farandole import Event, Service
from farandole.events import topics
from farandole.runtime.rights import Right, rights, rights_of_administrator, rights_of_observer


class Placed(Event, type="r.placed", key="order"):
    order: str


class Noted(Event, type="r.noted", key="order"):
    order: str


class Paid(Event, type="r.paid", key="order"):
    order: str
    payer: str


class Sent(Event, type="r.sent", key="order", final=True):
    order: str


selling, sending = Service("selling", accepts=[Placed, Noted]), Service("sending")


@selling.step
def take(placed: Placed) -> list[Paid]:
    return [Paid(order=placed.order, payer="x")]


@sending.step(order_by="payer")
def send(paid: Paid) -> Sent:
    return Sent(order=paid.order)


@sending.step
def tell(paids: list[Paid]) -> None: ...


def _by_name(service: Service) -> dict[str, Right]:
    return {right.name: right for right in rights(service)}


def test_a_step_that_leases_a_topic_reads_it_and_writes_what_it_gives() -> None:
    """Its inbox is read, for commands come through it, and never written; who only looks gets neither."""
    look = "DESCRIBE_CONFIGS"
    assert rights(selling) == [
        Right("group", "selling/take", False, ("READ",)),
        Right("topic", "farandole.control", False, ("DESCRIBE", look)),
        Right("topic", "farandole.engine.groups", False, ("READ", "WRITE")),
        Right("topic", "farandole.engine.proofs", False, ("READ",)),
        Right("topic", "farandole.journal", False, (look, "WRITE")),
        Right("topic", "farandole.manifests", False, (look, "READ", "WRITE")),
        Right("topic", "r.noted", False, ("DESCRIBE", look)),
        Right("topic", "r.paid", False, (look, "WRITE")),
        Right("topic", "r.placed", False, (look, "READ")),
        Right("topic", "selling.dlq", False, (look, "WRITE")),
        Right("topic", "selling.take.inbox", False, (look, "READ")),
        Right("topic", "selling.take.state", False, (look, "READ", "WRITE")),
        Right("transactional-id", "selling/", True, ("WRITE",)),
    ]


def test_a_step_fed_by_its_inbox_writes_it_and_has_the_groups_of_its_forwarders() -> None:
    """Another order, and a fan-in, are re-keyed."""
    found = _by_name(sending)
    groups = {name for name, right in found.items() if right.kind == "group"}
    assert groups == {"sending/send", "sending/send/r.paid", "sending/tell", "sending/tell/r.paid"}
    for step in ("send", "tell"):
        assert found[f"sending.{step}.inbox"].operations == ("DESCRIBE_CONFIGS", "READ", "WRITE")
    assert found["r.paid"].operations == ("DESCRIBE_CONFIGS", "READ")


def test_groups_and_transactional_ids_are_the_services_own() -> None:
    """Each begins with what no other service's begins with."""
    for service in (selling, sending):
        own = topics.own(service.name)
        assert all(r.name.startswith(own) for r in rights(service) if r.kind != "topic")


def test_of_topics_only_what_the_service_names_or_the_library_keeps() -> None:
    """Nothing of a neighbour's, and no prefix of topics or groups."""
    assert all(not right.prefixed for right in rights(sending) if right.kind != "transactional-id")
    of_others = {name for name in _by_name(sending) if name.startswith("selling")}
    assert not of_others


def test_an_observer_writes_nothing_and_an_administrator_reads_no_record() -> None:
    """Both are given everything of the namespace, for they know no service."""
    for found in (rights_of_observer(), rights_of_administrator()):
        assert all((right.name, right.prefixed) == ("", True) for right in found)
    assert {op for right in rights_of_observer() for op in right.operations} == {
        "DESCRIBE", "DESCRIBE_CONFIGS", "READ",
    }  # fmt: skip
    assert {op for right in rights_of_administrator() for op in right.operations}.isdisjoint({"READ", "WRITE"})
