"""Ports for servers of our own, on loopback."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: while a server is down, nothing else
# may happen to get its port.
_PORTS = range(20_000, 32_000)


def unused(count: int) -> list[int]:
    """Ports that nobody listens on. Raises OSError when a thousand tries do not find enough."""
    with ExitStack() as stack:
        return [stack.enter_context(_bound()).getsockname()[1] for _ in range(count)]


def _bound() -> socket.socket:
    # Of the system: a test that seeds `random` must not make two workers choose alike.
    for port in random.SystemRandom().sample(_PORTS, 1_000):
        candidate = socket.socket()
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: TIME_WAIT is no obstacle
        try:
            candidate.bind((HOST, port))
        except OSError:
            candidate.close()
        else:
            return candidate
    raise OSError(f"no free port between {_PORTS.start} and {_PORTS.stop}")
