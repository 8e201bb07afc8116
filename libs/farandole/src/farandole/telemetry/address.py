"""Where metrics and probes are served: `host:port`, or a port alone, which is one of loopback."""

from typing import NamedTuple

from farandole.events.errors import ConfigError

LOOPBACK = "127.0.0.1"
_HIGHEST = 65_535
_REMEDY = "give host:port such as 127.0.0.1:9464, [::1]:9464 or 0.0.0.0:9464 (seen from outside), or a port alone"


class Address(NamedTuple):
    """Port 0: one that is free; which one, the log line of the start says."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def after(self, number: int) -> "Address":
        """The one so many ports further on; 0 stays 0. Raises ConfigError where there is none."""
        if not self.port:
            return self
        if self.port + number > _HIGHEST:
            raise ConfigError(f"metrics: there is no port {self.port + number}; begin lower than {self.port}")
        return Address(self.host, self.port + number)


def read_address(text: str) -> Address:
    """The address that somebody wrote. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon:
        host = LOOPBACK
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not host.isprintable() or " " in host or not (port.isascii() and port.isdecimal()):
        raise ConfigError(f"metrics: {text[:80]!a} is no address; {_REMEDY}")
    if len(port) > len(str(_HIGHEST)) or int(port) > _HIGHEST:
        raise ConfigError(f"metrics: port {port[:20]} is above {_HIGHEST}; {_REMEDY}")
    return Address(host, int(port))
