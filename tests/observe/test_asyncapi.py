"""`topology --as asyncapi`: AsyncAPI's own parser accepts it, and finds in it what the services declared."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from farandole.events.errors import NotFound
from farandole.events.schema import load
from farandole.fold import Topology
from farandole.runtime.manifests import make_manifest
from farandole_observe.questions.asyncapi import Ground, document, payload
from libs.farandole.tests.unit.fold.choreographies import EARTH_OBSERVATION, NESTED
from tests.support import earth
from tests.support.asyncapi_parser import parse

SCHEMAS = Path(__file__).parents[2] / "schemas"
_ERROR = 0


def _services() -> dict[str, Any]:
    """The manifests of the ten services."""
    made = [make_manifest(service, service.steps.values(), [], 1000.0) for service in earth.services()]
    return {manifest.key: manifest for manifest in made}


def _ground(url: str = "") -> Ground:
    schemas = {(one.type, one.version): one.schema for one in load(SCHEMAS)}
    return Ground(url, dict.fromkeys((name for name, _ in schemas), 4), schemas)


@pytest.mark.slow
def test_the_parser_accepts_the_document_of_all_services_and_that_of_each(tmp_path: Path) -> None:
    """With every topic, every operation and every field; and it refuses a broken one, so its word counts."""
    manifests = _services()
    topology = Topology.of(manifests.values())
    made = {"all": document(topology, manifests, _ground("kafka://me:canary@one:9092,two:9093/eo"))}
    made |= {name: document(topology, manifests, _ground(), name) for name in earth.NAMES}
    for name, declared in (("scene", EARTH_OBSERVATION), ("nested", NESTED)):  # what no schema is at hand of
        made[name] = document(Topology.of(declared), {m.key: m for m in declared}, Ground())
    broken = deepcopy(made["all"])
    broken["operations"]["tiling.extract.send.tile.extracted"]["channel"]["$ref"] = "#/channels/nowhere"
    made["broken"] = broken
    files = [tmp_path / f"{name}.json" for name in made]
    for file, told in zip(files, made.values(), strict=True):
        file.write_text(json.dumps(told))
    found = dict(zip(made, parse(files), strict=True))
    assert not found.pop("broken")["accepted"]
    for name, said in found.items():
        assert said["accepted"], f"{name}: {said['problems']}"
        assert [one for one in said["problems"] if one["severity"] == _ERROR] == [], name
        assert said["operations"] == sorted(made[name]["operations"]), name
    whole = found["all"]
    assert whole["channels"] == sorted(f"eo.{one.type}" for one in load(SCHEMAS))
    assert "canary" not in json.dumps(made["all"])
    fields = dict(whole["messages"])
    for one in load(SCHEMAS):
        assert fields[f"{one.type}.v{one.version}"] == sorted(one.schema["properties"]), one.type
    assert len(found["tiling"]["operations"]) == 2


def test_operations_are_what_each_step_takes_and_gives_and_nothing_else() -> None:
    """The edges of the topology, seen from the steps."""
    topology = Topology.of(NESTED)
    operations = document(topology, {m.key: m for m in NESTED}, Ground())["operations"]
    told = {
        (one["title"], one["action"], m["$ref"].rpartition("/")[2])
        for one in operations.values()
        for m in one["messages"]
    }
    declared = set()
    for name, info in topology.steps.items():
        declared |= {(name, "receive", f"{t}.v{v}") for port in info.contract.inputs for t, v in port.types}
        declared |= {(name, "send", f"{t}.v{v}") for slot in info.contract.outputs for t, v in slot.types}
        declared |= {(name, "send", "farandole.absent.v1")}
    assert told == declared


def test_a_service_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    manifests = {m.key: m for m in EARTH_OBSERVATION}
    with pytest.raises(NotFound, match=r"no service 'nobody'.*tiling"):
        document(Topology.of(EARTH_OBSERVATION), manifests, Ground(), "nobody")


def test_a_tuple_of_2020_is_one_of_draft_7_at_any_depth() -> None:
    """A field that is called as a keyword stays as it is."""
    pair = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "x-farandole": {"type": "x"},
        "type": "object",
        "properties": {"prefixItems": {"anyOf": [{"type": "null"}, {"type": "array", "items": pair}]}},
    }
    old = {"type": "array", "items": [{"type": "integer"}, {"type": "string"}], "maxItems": 2}
    assert payload(schema) == {
        "type": "object",
        "properties": {"prefixItems": {"anyOf": [{"type": "null"}, {"type": "array", "items": old}]}},
    }
