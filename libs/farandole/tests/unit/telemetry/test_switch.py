"""Whether, where to and how much is traced: our settings over OpenTelemetry's variables."""

import pytest

from farandole.events.errors import ConfigError
from farandole.telemetry.switch import Destination, Tracing, destination, tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("otlp://host", Destination("grpc", "http://host:4317")),
        ("otlp://host:1234/", Destination("grpc", "http://host:1234")),
        ("otlps://[::1]:1", Destination("grpc", "https://[::1]:1")),
        ("otlp+http://host", Destination("http", "http://host:4318/v1/traces")),
        ("otlp+https://host:9/some/v1/traces", Destination("http", "https://host:9/some/v1/traces")),
    ],
)
def test_a_url_names_protocol_and_endpoint(url: str, expected: Destination) -> None:
    """With the ports and the path that OTLP has by default."""
    assert destination(url) == expected


@pytest.mark.parametrize(
    "url", ["", "host:4317", "http://host", "otlp://", "otlp://host:x", "otlp://host/path", "otlp://u:canary@host"]
)
def test_what_names_no_receiver_is_refused_with_the_remedy(url: str) -> None:
    """Without repeating what may be a secret."""
    with pytest.raises(ConfigError, match="otlp://host:4317") as refused:
        destination(url)
    assert "canary" not in str(refused.value)


def test_nothing_is_traced_unless_somebody_says_so() -> None:
    """Neither without settings, nor switched off, whatever else is set."""
    assert tracing("", None, {}) is None
    assert tracing("off", None, ENDPOINT) is None
    assert tracing("otlp://host", None, {"OTEL_SDK_DISABLED": "True"}) is None
    assert tracing("", None, ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}) is None


def test_opentelemetrys_variables_switch_it_on_too() -> None:
    """Its exporter then reads where to for itself."""
    assert tracing("", None, ENDPOINT) == Tracing(Destination("grpc"), 1.0, asked=False)
    http = ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
    assert tracing("", None, http) == Tracing(Destination("http"), 1.0, asked=False)
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_PROTOCOL"):
        tracing("", None, ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})


@pytest.mark.parametrize(
    ("said", "ratio"),
    [
        ({}, 1.0),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 0.25),
        ({"OTEL_TRACES_SAMPLER": "always_on", "OTEL_TRACES_SAMPLER_ARG": "0.25"}, 1.0),
        ({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, 0.0),
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote", "OTEL_TRACES_SAMPLER_ARG": "endpoint=http://host"}, 1.0),
    ],
)
def test_the_share_is_as_set_or_as_the_sampler_says(said: dict[str, str], ratio: float) -> None:
    """Our own setting goes first."""
    assert tracing("otlp://host", None, said) == Tracing(Destination("grpc", "http://host:4317"), ratio)
    assert tracing("otlp://host", 0.5, said) == Tracing(Destination("grpc", "http://host:4317"), 0.5)


@pytest.mark.parametrize("wrong", ["2", "-1", "many", "nan"])
def test_a_share_that_is_none_is_refused(wrong: str) -> None:
    """By the variable's name."""
    with pytest.raises(ConfigError, match="OTEL_TRACES_SAMPLER_ARG"):
        tracing("otlp://host", None, {"OTEL_TRACES_SAMPLER_ARG": wrong})
