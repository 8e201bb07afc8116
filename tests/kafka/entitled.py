"""A Kafka where nobody may do what they were not given the right to, and its users."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from farandole.engines.kafka.granting import entry
from farandole.engines.kafka.names import Names
from farandole.log.care import Right
from scripts.kafka import kafka_cluster
from tests.kafka.secured import CANARY, LOGIN

_PATIENCE = 30.0  # seconds


@dataclass(frozen=True)
class Entitled:
    """`port`: where users log in; `asking`: a client that may do anything, and gives and takes rights."""

    port: int
    asking: AdminClient

    def url(self, namespace: str) -> str:
        """A log, for whoever the environment names."""
        return f"kafka://127.0.0.1:{self.port}/{namespace}?security=sasl_plaintext&lease=2"

    def make_users(self, names: Iterable[str]) -> None:
        """With no rights yet."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        for name in names:
            wanted = UserScramCredentialUpsertion(name, info, CANARY.encode())
            self.asking.alter_user_scram_credentials([wanted])[name].result(_PATIENCE)

    def make_topics(self, outer: Iterable[str]) -> None:
        """Of one partition, as far as rights go."""
        for made in self.asking.create_topics([NewTopic(name, 1, 1) for name in outer]).values():
            made.result(_PATIENCE)

    def give(self, user: str, rights: Iterable[Right], namespace: str) -> None:
        """Returns once the broker goes by them."""
        bindings = _bindings(user, rights, namespace)
        for answer in self.asking.create_acls(bindings).values():
            answer.result(_PATIENCE)
        self._await(bindings, there=True)

    def take(self, user: str, rights: Iterable[Right], namespace: str) -> None:
        """Returns once the broker goes by it."""
        bindings = _bindings(user, rights, namespace)
        for answer in self.asking.delete_acls([_filter(binding) for binding in bindings]).values():
            assert answer.result(_PATIENCE)
        self._await(bindings, there=False)

    def _await(self, bindings: Iterable[AclBinding], *, there: bool) -> None:
        deadline = time.monotonic() + _PATIENCE
        for binding in bindings:
            while bool(self.asking.describe_acls(_filter(binding)).result(_PATIENCE)) is not there:
                assert time.monotonic() < deadline, f"the broker has not heard of {binding}"
                time.sleep(0.01)


@contextmanager
def entitled_kafka() -> Iterator[Entitled]:
    """Denies by default. Raises NoKafka."""
    own = "listener.name.client"
    config = {
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        f"{own}.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        f"{own}.scram-sha-512.sasl.jaas.config": f"{LOGIN}.scram.ScramLoginModule required;",
    }
    with kafka_cluster(config=config, origins=("java",)) as cluster:
        (node,) = cluster.nodes
        yield Entitled(node.port, AdminClient({"bootstrap.servers": node.inner}))


def login(user: str) -> dict[str, str]:
    """The environment of a user."""
    return {"FARANDOLE_KAFKA_USER": user, "FARANDOLE_KAFKA_PASSWORD": CANARY}


def single(rights: Iterable[Right]) -> list[Right]:
    """Each operation of each resource as a right of its own."""
    return [right._replace(operations=(operation,)) for right in rights for operation in right.operations]


def _bindings(user: str, rights: Iterable[Right], namespace: str) -> list[AclBinding]:
    names = Names(namespace)
    return [_binding(user, right, names) for right in single(rights)]


def _binding(user: str, right: Right, names: Names) -> AclBinding:
    (operation,) = right.operations
    name, pattern = entry(right, names)
    return AclBinding(
        ResourceType[right.kind.upper().replace("-", "_")],
        name,
        ResourcePatternType[pattern.upper()],
        f"User:{user}",
        "*",
        AclOperation[operation],
        AclPermissionType.ALLOW,
    )


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
