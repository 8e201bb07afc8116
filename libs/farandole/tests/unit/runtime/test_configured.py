"""What a service is configured with stands in its manifest: since when, and never a secret."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import Field, SecretStr

from farandole import Event, Service, Settings
from farandole.engines.open import open_log
from farandole.events.manifest import CONFIGURED_KEPT, Manifest
from farandole.log.manifests import read_manifests
from farandole.runtime.configured import configured
from farandole.runtime.host import Host, Options
from farandole.runtime.manifests import make_manifest, same_but_for_time
from farandole.runtime.provide import Provided


class Lens(Settings, env_prefix="LENS_"):
    url: str = "https://user:canary@lens.example/x"
    token: SecretStr = SecretStr("canary")
    api_key: str = "canary"
    auth: Mapping[str, str] = Field(default_factory=lambda: {"password": "canary"})
    folder: Path = Path("/lenses")
    bands: tuple[int, ...] = (1, 2)
    text: str = ""


class Light(Settings, env_prefix="LIGHT_"):
    lux: float = 1.5


class Seen(Event, type="seen"):
    name: str


def _service() -> Service:
    service = Service("eye", version="3", accepts=[Seen])

    @service.resource
    def lamp(settings: Light) -> Iterator[float]:
        yield settings.lux

    @service.resource
    def lens(lamp: float) -> Iterator[float]:
        yield lamp

    @service.step
    def look(seen: Seen, lens: float, settings: Lens) -> None: ...

    @service.step(name="blink")
    def blink(seen: Seen) -> None: ...

    return service


def _told(service: Service, **replaced: Settings) -> dict[str, dict[str, dict[str, object]]]:
    provided = Provided(service, replaced)
    return {name: configured(service, step, provided) for name, step in service.steps.items()}


def test_a_steps_settings_and_those_of_its_resources_are_told_without_secrets() -> None:
    """By type, by name, and within URLs; paths and tuples as JSON, what is too long by its length."""
    told = _told(_service(), Lens=Lens(text="x" * 2000))
    assert told == {
        "blink": {},
        "look": {
            "Lens": {
                "url": "https://***@lens.example/x",
                "token": "***",
                "api_key": "***",
                "auth": {"password": "***"},
                "folder": "/lenses",
                "bands": [1, 2],
                "text": "… (2002 characters)",
            },
            "Light": {"lux": 1.5},
        },
    }


def _declared(service: Service, before: list[Manifest], now: float, lux: float) -> Manifest:
    return make_manifest(service, service.steps.values(), before, now, _told(service, Light=Light(lux=lux)))


def test_a_version_remembers_what_it_was_configured_with_and_since_when() -> None:
    """The same again says nothing new; another version begins anew; the last ones are kept."""
    service = _service()
    first = _declared(service, [], 100.0, lux=1.0)
    assert same_but_for_time(_declared(service, [first], 200.0, lux=1.0), first)
    second = _declared(service, [first], 300.0, lux=2.0)
    look = next(step for step in second.steps if step.name == "look")
    assert [(c.since, c.values["Light"]) for c in look.configured or ()] == [
        (100.0, {"lux": 1.0}),
        (300.0, {"lux": 2.0}),
    ]
    assert next(step for step in second.steps if step.name == "blink").configured == []
    other = second.model_copy(update={"version": "2"})
    anew = next(step for step in _declared(service, [other], 400.0, lux=3.0).steps if step.name == "look")
    assert [c.since for c in anew.configured or ()] == [400.0]
    for n in range(CONFIGURED_KEPT + 5):
        second = _declared(service, [second], 500.0 + n, lux=10.0 + n)
    look = next(step for step in second.steps if step.name == "look")
    assert look.configured is not None
    assert len(look.configured) == CONFIGURED_KEPT
    assert look.configured[-1].values["Light"] == {"lux": 34.0}


def test_a_version_tells_when_it_was_declared_first_however_often_its_settings_change() -> None:
    """Also after another version ran meanwhile; what an older library declared first tells nothing of it."""
    service = _service()
    first = _declared(service, [], 100.0, lux=1.0)
    second = _declared(service, [first], 300.0, lux=2.0)
    assert [(m.at, m.begun) for m in (first, second)] == [(100.0, 100.0), (300.0, 100.0)]
    other = second.model_copy(update={"version": "2", "at": 400.0, "begun": 400.0})
    assert _declared(service, [second, other], 500.0, lux=2.0).begun == 100.0
    assert _declared(service, [other], 500.0, lux=2.0).begun == 500.0
    older = first.model_copy(update={"begun": None})
    assert same_but_for_time(_declared(service, [older], 600.0, lux=1.0), older)


async def test_a_host_declares_them_and_reads_them_back_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment, as the step is given them."""
    monkeypatch.setenv("LIGHT_LUX", "7")
    log = await open_log("memory:")
    try:
        stop, started = asyncio.Event(), asyncio.Event()
        host = Host(_service(), log, options=Options(inline=True))
        running = asyncio.create_task(host.run(stop, started))
        await started.wait()
        (manifest,) = await read_manifests(log)
        stop.set()
        await running
        (now,) = next(step for step in manifest.steps if step.name == "look").configured or ()
        assert now.values["Light"] == {"lux": 7.0}
        assert "canary" not in manifest.model_dump_json()
    finally:
        await log.close()
