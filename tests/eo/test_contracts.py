"""The committed schemas are what the services publish, and every consumer keeps to them."""

import json
from pathlib import Path

import pytest

from farandole.cli import main
from tests.support import earth

ROOT = Path(__file__).parents[2]


def test_the_committed_schemas_are_those_of_the_services_and_every_view_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing to export, no view that asks for more than is published, and no tile that could get lost."""
    targets = [f"{name}.steps:service" for name in earth.NAMES]
    code = main(["schemas", "check", *targets, "--schemas", str(ROOT / "schemas"), "--json"])
    assert json.loads(capsys.readouterr().out) == {"problems": [], "warnings": []}
    assert code == 0


def test_every_published_type_has_a_schema_and_no_other_has() -> None:
    """One folder a type, for the twelve that the services own."""
    owned = {
        event.event_type.name
        for service in earth.services()
        for event in (*service.accepts, *(e for step in service.steps.values() for e in step.signature.published))
    }
    assert len(owned) == 12
    assert {path.name for path in (ROOT / "schemas").iterdir()} == owned
