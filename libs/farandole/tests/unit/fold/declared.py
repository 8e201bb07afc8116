"""Short ways to write down the manifests of a choreography."""

from typing import Literal

from farandole.events.manifest import InPort, Interval, Manifest, OutSlot, Published, StepManifest


def one(*types: str, optional: bool = False) -> OutSlot:
    """A slot that holds one event."""
    return OutSlot(types=[(t, 1) for t in types], optional=optional)


def fan(*types: str) -> OutSlot:
    """A slot that holds a fan-out."""
    return OutSlot(types=[(t, 1) for t in types], many=True)


def take(name: str, *types: str, many: bool = False) -> InPort:
    """A parameter."""
    return InPort(name=name, types=[(t, 1) for t in types], many=many)


def step(name: str, *inputs: InPort, gives: tuple[OutSlot, ...] = (), since: float | None = None) -> StepManifest:
    """A step of a manifest; its shape follows from its parameters."""
    shape: Literal["one", "fan-in", "join"] = "join" if len(inputs) > 1 else "fan-in" if inputs[0].many else "one"
    return StepManifest(
        name=name, inputs=list(inputs), outputs=list(gives), shape=shape, intervals=[Interval(since=since)]
    )


def service(
    name: str, *steps: StepManifest, accepts: tuple[str, ...] = (), final: tuple[str, ...] = (), at: float = 0.0
) -> Manifest:
    """A manifest in version 1 that owns what its steps publish and what it accepts."""
    types = {t: False for s in steps for slot in s.outputs for t, _ in slot.types} | dict.fromkeys(accepts, True)
    published = [
        Published(type=t, version=1, key=None, final=t in final, accepted=accepted) for t, accepted in types.items()
    ]
    return Manifest(service=name, version="1", published=published, steps=list(steps), at=at)
