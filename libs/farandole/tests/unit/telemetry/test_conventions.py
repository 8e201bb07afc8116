"""The names that dashboards and queries rely on: those of OpenTelemetry's pinned conventions, and ours."""

from opentelemetry.semconv import schemas
from opentelemetry.semconv._incubating.attributes import (
    cloudevents_attributes,
    messaging_attributes,
    service_attributes,
)
from opentelemetry.semconv.attributes import error_attributes, exception_attributes

from farandole.telemetry import conventions

_OWN = "farandole."
_STANDARD = {
    value
    for module in (
        cloudevents_attributes,
        messaging_attributes,
        service_attributes,
        error_attributes,
        exception_attributes,
    )
    for value in vars(module).values()
    if isinstance(value, str)
}


def test_every_name_is_of_the_pinned_conventions_or_under_our_own_prefix() -> None:
    """A slip of the pen is a name that nobody looks for."""
    named = {value for name, value in vars(conventions).items() if name.isupper() and "." in value and "/" not in value}
    assert len(named) > 25
    assert {name for name in named if not name.startswith(_OWN)} <= _STANDARD
    assert schemas.Schemas.V1_44_0.value == conventions.SCHEMA_URL


def test_our_own_names_are_frozen() -> None:
    """They may be added to; none may go or change its meaning."""
    own = {value for name, value in vars(conventions).items() if name.isupper() and value.startswith(_OWN)}
    assert own >= {
        "farandole.step",
        "farandole.delivery",
        "farandole.attempt",
        "farandole.ending",
        "farandole.reason",
        "farandole.due",
        "farandole.generation",
        "farandole.offset",
        "farandole.key",
        "farandole.group",
        "farandole.index",
        "farandole.absent",
        "farandole.link",
    }
