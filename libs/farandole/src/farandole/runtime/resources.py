"""What a process of a service needs of the machine it runs on; said in code, read by what deploys it."""

import re
from dataclasses import dataclass

from farandole.events.errors import DeclarationError

_CPU = re.compile(r"[1-9][0-9]{0,5}m|(?=.*[1-9])[0-9]{1,3}(\.[0-9]{1,3})?")
_MEMORY = re.compile(r"[1-9][0-9]{0,6}(\.[0-9]{1,3})?(Mi|Gi|M|G)")


@dataclass(frozen=True, slots=True)
class Resources:
    """Of one process, its worker processes included, as Kubernetes writes it.

    `cpu`: cores ("2", "0.5") or thousandths ("500m"), on average while it works. `memory`: the most that it ever
    holds ("512Mi", "2Gi"); above it, it is killed. Raises DeclarationError for what is neither.
    """

    cpu: str = "250m"
    memory: str = "256Mi"

    def __post_init__(self) -> None:
        if not _fits(_CPU, self.cpu):
            raise DeclarationError(f'Resources(cpu={self.cpu!r}): give cores as text, such as "2", "0.5" or "500m"')
        if not _fits(_MEMORY, self.memory):
            raise DeclarationError(
                f'Resources(memory={self.memory!r}): give text with its unit, such as "512Mi" or "2Gi" (not "512m", '
                "which would be half a byte)"
            )


def _fits(pattern: re.Pattern[str], given: object) -> bool:
    """Whether it is such a text; a number says no unit, and is no text."""
    return isinstance(given, str) and pattern.fullmatch(given) is not None
