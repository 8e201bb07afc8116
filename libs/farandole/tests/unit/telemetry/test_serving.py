"""The small server: what it answers, and what it refuses to begin with."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from farandole.events.errors import ConfigError
from farandole.telemetry.address import Address, read_address
from farandole.telemetry.health import Verdict
from farandole.telemetry.serving import Server, probe


@contextmanager
def served(*reasons: str) -> Iterator[Server]:
    found = Verdict(not reasons, reasons)
    server = Server(read_address("0"), {"/livez": probe(lambda: found)})
    try:
        yield server
    finally:
        server.close()


def ask(server: Server, path: str, method: str = "GET") -> tuple[int, bytes]:
    connection = HTTPConnection(*server.address, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_probe_says_200_or_503_and_why() -> None:
    with served() as server:
        assert ask(server, "/livez") == (200, b'{"ok": true, "reasons": []}\n')
        assert ask(server, "/livez", "HEAD") == (200, b"")
    with served("shop/pack: stands") as server:
        status, body = ask(server, "/livez")
        assert (status, json.loads(body)) == (503, {"ok": False, "reasons": ["shop/pack: stands"]})


def test_what_is_not_there_and_what_would_change_something_is_refused() -> None:
    with served() as server:
        status, body = ask(server, "/etc/passwd")
        assert (status, json.loads(body)) == (404, {"paths": ["/livez"]})
        assert ask(server, "/livez", "POST")[0] == 405


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    """Naming the address and what to do."""
    with served() as server, pytest.raises(ConfigError, match=rf"{server.address} cannot be served: .*another port"):
        Server(server.address, {})


def test_a_client_that_says_nothing_keeps_nobody_waiting() -> None:
    with served() as server, socket.create_connection(server.address):
        assert ask(server, "/livez")[0] == 200


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9464", Address("127.0.0.1", 9464)),
        ("0", Address("127.0.0.1", 0)),
        ("0.0.0.0:9464", Address("0.0.0.0", 9464)),
        ("[::1]:1", Address("::1", 1)),
        ("host.example:80", Address("host.example", 80)),
    ],
)
def test_an_address_is_a_port_or_host_and_port(text: str, address: Address) -> None:
    """A port alone is seen from this machine only."""
    assert read_address(text) == address
    assert read_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", ":9464", "host:", "host:x", "70000", "-1", "::1:80", "a b:1", "h:99999999999", "h:٣"]
)
def test_what_is_no_address_is_told_with_the_remedy(text: str) -> None:
    with pytest.raises(ConfigError, match=r"metrics: .*give host:port"):
        read_address(text)


def test_the_services_of_one_machine_get_the_ports_that_follow() -> None:
    """A free one each, where none was named; none beyond the last there is."""
    assert Address("h", 9464).after(2) == Address("h", 9466)
    assert Address("h", 0).after(2) == Address("h", 0)
    with pytest.raises(ConfigError, match="no port 65536"):
        Address("h", 65_535).after(1)
