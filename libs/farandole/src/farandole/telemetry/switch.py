"""Whether traces are exported, where to and how many of them: our settings over OpenTelemetry's own variables."""

import importlib.util
import os
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from farandole.events.errors import ConfigError

Protocol = Literal["grpc", "http"]

OFF = "off"
_REMEDY = "write otlp://host:4317, otlp+http://host:4318/v1/traces, or off"
_SCHEMES: dict[str, tuple[Protocol, str]] = {
    "otlp": ("grpc", "http"),
    "otlps": ("grpc", "https"),
    "otlp+http": ("http", "http"),
    "otlp+https": ("http", "https"),
}
_PORTS = {"grpc": 4317, "http": 4318}
_PATH = "/v1/traces"  # OTLP/HTTP's default
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Destination(NamedTuple):
    """Where spans go. `endpoint`: as OpenTelemetry's exporters take it; empty: as its variables say."""

    protocol: Protocol
    endpoint: str = ""


class Tracing(NamedTuple):
    """Traces are exported. `ratio`: the share of workflows. `asked`: a setting of ours wants it, not a variable."""

    destination: Destination
    ratio: float
    asked: bool = True


def destination(url: str) -> Destination:
    """Where a URL such as `otlp://host:4317` leads. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        protocol, scheme = _SCHEMES[parts.scheme]
        port = parts.port or _PORTS[protocol]
    except (KeyError, ValueError) as error:
        raise ConfigError(f"traces: {_shown(url)} is no receiver; {_REMEDY}") from error
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        why = "names no host" if not parts.hostname else "holds more than host, port and path"
        raise ConfigError(f"traces: {_shown(url)} {why}; {_REMEDY}; headers go into OTEL_EXPORTER_OTLP_HEADERS")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if protocol == "grpc":
        if parts.path not in ("", "/"):
            raise ConfigError(f"traces: {_shown(url)} has a path, which gRPC has not; {_REMEDY}")
        return Destination(protocol, f"{scheme}://{host}:{port}")
    path = _PATH if parts.path in ("", "/") else parts.path
    return Destination(protocol, f"{scheme}://{host}:{port}{path}")


def tracing(traces: str, ratio: float | None, environment: Mapping[str, str] | None = None) -> Tracing | None:
    """What the settings `traces` and `trace_ratio` amount to, over OpenTelemetry's variables; None: nothing is
    exported. Raises ConfigError naming the variable that is wrong.
    """
    env = os.environ if environment is None else environment
    if traces == OFF or env.get("OTEL_SDK_DISABLED", "").lower() == "true" or not (traces or _wanted(env)):
        return None
    where = destination(traces) if traces else Destination(_protocol(env))
    return Tracing(where, _ratio(env) if ratio is None else ratio, asked=bool(traces))


def installed() -> bool:
    """Whether OpenTelemetry's SDK and exporters are there."""
    try:
        return all(
            importlib.util.find_spec(name) is not None
            for name in (
                "opentelemetry.sdk.trace",
                "opentelemetry.exporter.otlp.proto.grpc",
                "opentelemetry.exporter.otlp.proto.http",
            )
        )
    except ModuleNotFoundError:
        return False


def _wanted(env: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables want traces to be exported as we can."""
    return env.get("OTEL_TRACES_EXPORTER") in (None, "", "otlp") and any(env.get(name) for name in _ENDPOINTS)


def _protocol(env: Mapping[str, str]) -> Protocol:
    said = next((env[name] for name in _PROTOCOLS if env.get(name)), "grpc")
    if said == "grpc":
        return "grpc"
    if said == "http/protobuf":
        return "http"
    raise ConfigError(f"{_PROTOCOLS[1]}: {said[:40]!r} is not served; one of grpc, http/protobuf")


def _ratio(env: Mapping[str, str]) -> float:
    sampler, argument = env.get("OTEL_TRACES_SAMPLER", ""), env.get("OTEL_TRACES_SAMPLER_ARG", "")
    if sampler.endswith("always_off"):
        return 0.0
    if not argument or (sampler and not sampler.endswith("traceidratio")):
        return 1.0
    try:
        ratio = float(argument)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG: {argument[:40]!r} is no share; write a number from 0 to 1")
    return ratio


def _shown(url: str) -> str:
    """A URL as it may be repeated: what stands before its `@` may be a secret."""
    scheme, mark, rest = url[:200].partition("://")
    return repr(f"{scheme}{mark}{rest.rpartition('@')[2]}"[:80])
