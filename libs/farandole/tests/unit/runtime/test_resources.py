"""What a service needs of a machine: said as Kubernetes says it, or refused where it is declared."""

import dataclasses
from typing import Any

import pytest

from farandole import DeclarationError, Resources, Service
from farandole.testing.bodies import with_bodies


@pytest.mark.parametrize("cpu", ["500m", "1", "2", "0.5", "1.25", "100000m"])
def test_cores_are_whole_parts_or_thousandths(cpu: str) -> None:
    """As text, for a number would be rounded in other ways elsewhere."""
    assert Resources(cpu=cpu).cpu == cpu


@pytest.mark.parametrize("cpu", ["", "0", "0m", "0.0", "-1", "m", "1.5m", "1e3", "1 ", "one", "1.0001", 1, None, True])
def test_what_are_no_cores_is_refused(cpu: Any) -> None:
    """With an example of what is."""
    with pytest.raises(DeclarationError, match=r'give cores as text, such as "2"'):
        Resources(cpu=cpu)


@pytest.mark.parametrize("memory", ["512Mi", "2Gi", "1.5Gi", "500M", "1G"])
def test_memory_has_a_unit(memory: str) -> None:
    """Of a size that a process can have."""
    assert Resources(memory=memory).memory == memory


@pytest.mark.parametrize("memory", ["", "512", "512m", "512mi", "512MB", "0Mi", "-1Gi", "1Ki", "Gi", "1 Gi", 512, None])
def test_what_is_no_memory_is_refused(memory: Any) -> None:
    """`512m` above all: it is half a byte to Kubernetes."""
    with pytest.raises(DeclarationError, match="give text with its unit"):
        Resources(memory=memory)


def test_a_service_has_them_declared_or_the_usual_ones() -> None:
    """They cannot be changed afterwards, and go along where its bodies are replaced."""
    assert Service("plain").resources == Resources() == Resources("250m", "256Mi")
    large = Service("large", resources=Resources(memory="2Gi"))
    assert with_bodies(large, {}).resources.memory == "2Gi"
    with pytest.raises(dataclasses.FrozenInstanceError):
        large.resources.memory = "4Gi"  # type: ignore[misc]
