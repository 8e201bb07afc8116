"""What each layer of an image is made of, as the declarations of this checkout say it."""

from pathlib import Path

import pytest

from deploy.image import layers
from scripts.containers.images import image_name, services, shared_requirements, version
from scripts.containers.places import ROOT


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "SOURCE", ROOT)
    monkeypatch.setattr(layers, "_LIBRARY", ROOT / "libs/farandole")
    monkeypatch.setattr(layers, "_OBSERVING", ROOT / "libs/farandole-observe")


def names(requirements: list[str]) -> set[str]:
    return {requirement.partition(">")[0].partition("=")[0].partition("[")[0] for requirement in requirements}


def test_a_service_gets_what_it_declares_and_nothing_of_the_others() -> None:
    """The library with its extra for traces; our own packages are no requirement of others."""
    wanted = names(layers.third_party(layers.projects(["masking"])))
    assert {"scipy", "rasterio", "pydantic", "opentelemetry-sdk", "confluent-kafka"} <= wanted
    assert not wanted & {"pystac", "pillow", "pyarrow", "farandole", "faust-streaming"}


def test_observe_has_its_extras_and_no_raster() -> None:
    """The archive's reader and the dashboards' maker."""
    wanted = names(layers.third_party(layers.projects(["observe"])))
    assert {"pyarrow", "grafana-foundation-sdk", "sqlalchemy", "confluent-kafka"} <= wanted
    assert "rasterio" not in wanted


def test_all_is_every_service_but_those_with_versions_of_their_own() -> None:
    """Each once, whatever else is named."""
    found = [place.name for place in layers.projects(["all", "tiling"])]
    assert sorted(found) == sorted({*services(), "farandole", "farandole-observe"} - {"sla-watcher", "observe"})


def test_a_program_of_another_framework_gets_nothing_of_ours() -> None:
    """Its environment is its own."""
    assert [place.name for place in layers.projects(["sla-watcher"])] == ["sla-watcher"]
    assert names(layers.third_party(layers.projects(["sla-watcher"]))) == {"faust-streaming"}


@pytest.mark.parametrize(
    ("given", "default"),
    [
        (["tiling"], "run tiling.steps:service"),
        (["cog", "quicklook"], "run cog.steps:service quicklook.steps:service"),
        (["observe"], "observe"),
    ],
)
def test_a_container_without_a_command_serves(given: list[str], default: str) -> None:
    """And replaces the shell, so that signals reach it."""
    entry = layers.entry_of(layers.projects(given))
    assert f"set -- {default}\nexec /opt/farandole/bin/farandole " in entry


@pytest.mark.parametrize("wrong", [["nobody"], []])
def test_a_name_that_is_no_service_ends_the_build_with_those_that_are(wrong: list[str]) -> None:
    """Before anything is fetched."""
    with pytest.raises(SystemExit, match="SERVICE"):
        layers.projects(wrong)


def test_what_all_services_need_gets_one_layer() -> None:
    """Rasters are by far the heaviest of it."""
    assert names(shared_requirements()) == {"rasterio"}


def test_images_are_named_after_service_and_version() -> None:
    """An image of several has the library's version."""
    assert image_name("tiling") == f"farandole/tiling:{version('tiling')}"
    assert image_name("cog quicklook") == f"farandole/cog-quicklook:{version('all')}"
    assert Path(ROOT / "services/tiling/pyproject.toml").read_text().count(f'version = "{version("tiling")}"') == 1
