"""From a URL to an engine's log; the only place that knows every engine."""

import importlib
import math
from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

from farandole.engines.memory.cluster import LEASE, Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.engines.sqlite.log import LEASE as SQLITE_LEASE
from farandole.engines.sqlite.log import SqliteLog
from farandole.engines.sqlite.watch import Noted, unnoted
from farandole.events.errors import ConfigError
from farandole.log.ports import Log

_FORMS = "sqlite:///path/to/log.db on one machine, kafka://host:9092/namespace on many, or memory: within one process"
_LEASES = (0.1, 3600.0)


class _Url(NamedTuple):
    scheme: str
    rest: str
    options: dict[str, str]


async def open_log(url: str, *, clusters: MutableMapping[str, Cluster] | None = None, noted: Noted = unnoted) -> Log:
    """A handle on the log that the URL names; it is to be closed.

    `sqlite:///relative.db`, `sqlite:////absolute.db`: the path stands as it is, nothing in it is decoded.
    `kafka://host:port[,…][/namespace]`: see `engines.kafka.address`.
    `memory:`: a log of its own. `memory:NAME`: the one of that name in `clusters`, which the caller keeps for
    all who are to share it; it is made there when it is missing. Both take `?lease=SECONDS`. `noted` is told what
    an operator should know. Raises ConfigError naming the remedy, LogFormatError, LogUnavailable.
    """
    parts = _parse(url)
    if parts.scheme == "memory":
        return MemoryLog(_cluster(parts, clusters))
    path = sqlite_path(url)
    if path is not None:
        lease = _lease(parts)
        return await SqliteLog.open(path, lease=SQLITE_LEASE if lease is None else lease, noted=noted)
    if parts.scheme == "kafka":
        engine = importlib.import_module("farandole.engines.kafka.log")  # its clients are slow to load
        log: Log = await engine.KafkaLog.open(url)
        return log
    raise ConfigError(f"no engine for the log's URL (scheme {parts.scheme!r}); use {_FORMS}")


def sqlite_path(url: str) -> Path | None:
    """The file that a `sqlite:` URL names, None for any other. Raises ConfigError where it names none."""
    parts = _parse(url)
    if parts.scheme != "sqlite":
        return None
    path = parts.rest.removeprefix("///")
    if path == parts.rest or not path:
        raise ConfigError("a sqlite: URL has three slashes and a path: sqlite:///log.db, sqlite:////var/log.db")
    if path == ":memory:":
        raise ConfigError("sqlite:///:memory: cannot be shared by services; use memory:")
    return Path(path)


def _parse(url: str) -> _Url:
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise ConfigError(f"the log's URL {url[:80]!r} has no scheme; use {_FORMS}")
    rest, _, query = rest.partition("?")
    return _Url(scheme.lower(), rest, dict(parse_qsl(query, keep_blank_values=True)))


def _cluster(parts: _Url, clusters: MutableMapping[str, Cluster] | None) -> Cluster:
    lease, name = _lease(parts), parts.rest
    if "/" in name:
        raise ConfigError("a memory: URL has no slashes: memory:, or memory:NAME")
    if not name:
        return Cluster(lease=LEASE if lease is None else lease)
    if clusters is None:
        raise ConfigError(f"memory:{name} is shared by nobody here; use memory:, or hand on the log once opened")
    if name not in clusters:
        clusters[name] = Cluster(lease=LEASE if lease is None else lease)
    if lease not in (None, clusters[name].lease):
        raise ConfigError(f"memory:{name} has lease={clusters[name].lease:g} already; leave it out, or give the same")
    return clusters[name]


def _lease(parts: _Url) -> float | None:
    if strange := sorted(parts.options.keys() - {"lease"}):
        raise ConfigError(f"the log's URL has the option {strange[0]!r}; {parts.scheme}: knows only lease=SECONDS")
    text = parts.options.get("lease")
    if text is None:
        return None
    try:
        lease = float(text)
    except ValueError:
        lease = math.nan
    if not _LEASES[0] <= lease <= _LEASES[1]:
        raise ConfigError(f"lease={text[:20]!r} in the log's URL: give {_LEASES[0]:g} to {_LEASES[1]:g} seconds")
    return lease
