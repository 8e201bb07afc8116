"""deploy/compose.yaml: both Compose programs read the same out of it, and it holds what it promises."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from farandole.cli.options import settings
from farandole.cli.services import chosen_services, topology_of
from farandole.events.durations import seconds
from scripts.compose.images import defaults
from scripts.compose.project import ONCE, PROFILES, Profile
from scripts.compose.secrets import NAMES
from scripts.containers.images import ALL, image_name, services
from scripts.jars import pinned
from scripts.kafka.artifacts import kafka_version
from scripts.s3.server import POM as S3PROXY
from tests.containers.composed import DEPLOY, ROOT, config

RECEIVER = ROOT / "scripts" / "compose" / "receiver.yaml"
OTHERS = {"kafka", "postgres", "prometheus", "objects", "jaeger", "grafana"}


def plain() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def ours() -> list[str]:
    """Every service of this repository, from the topology."""
    topology = topology_of(chosen_services(None, settings(ROOT / "farandole.toml")))
    return sorted({name.partition("/")[0] for name in topology.steps})


@pytest.mark.slow
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("generation", [1, 2])
def test_both_generations_of_compose_accept_it_and_see_the_same_services(generation: int, profile: Profile) -> None:
    """Without a warning; the profile decides who is there, of which 1.29 shows nothing here."""
    found = config(generation, profile)["services"]
    everybody = {*ours(), ONCE, "observe", *OTHERS, "sla-watcher"}
    assert found.keys() == (everybody - {*PROFILES[profile]} if generation == 2 else everybody)
    assert {name for name, service in found.items() if service.get("profiles")} == {*PROFILES["small"]} & found.keys()
    for name, service in found.items():
        assert service["read_only"] is True, name
    assert found["observe"]["depends_on"].keys() == {ONCE, "postgres"}
    told = found["tiling"]["environment"]
    assert told["FARANDOLE_TRACES"] == ("off" if "jaeger" in PROFILES[profile] else "otlp://jaeger:4317")
    in_folder = "objects" in PROFILES[profile]
    assert told["FARANDOLE_ASSETS"] == ("/var/lib/farandole/assets" if in_folder else "s3://farandole/demo")
    assert told["FARANDOLE_ASSETS_SECRET_FILE"] == ("" if in_folder else "/run/secrets/objects")


@pytest.mark.slow
@pytest.mark.parametrize("generation", [1, 2])
def test_each_profile_starts_who_is_of_it_and_leaves_out_the_rest(generation: int) -> None:
    """As its environment file names it, and as `make smoke` says."""
    services = config(generation, "full")["services"]
    for profile, left_out in PROFILES.items():
        text = (DEPLOY / f"{profile}.env").read_text()
        (named,) = re.findall(r"^COMPOSE_PROFILES=(.*)$", text, re.MULTILINE) or [""]
        started = {name for name, one in services.items() if named in one.get("profiles", [named])}
        assert started == services.keys() - {*left_out}, profile


@pytest.mark.slow
@pytest.mark.parametrize("generation", [1, 2])
def test_images_ports_scenes_and_secrets_are_given_by_variables(generation: int, tmp_path: Path) -> None:
    """As `make smoke` gives them, with its receiver laid over."""
    said = {"KAFKA_IMAGE": "k:1", "SERVICE_IMAGES": "registry/eo", "SERVICE_TAG": "9", "KAFKA_PORT": "20999"}
    found = config(generation, "small", [RECEIVER], SCENES=str(tmp_path), SECRETS=str(tmp_path), **said)
    services = found["services"]
    assert services["kafka"]["image"] == "k:1"
    assert services["tiling"]["image"] == "registry/eo/tiling:9"
    assert services["receiver"]["image"] == "registry/eo/observe:9"
    assert "localhost:20999" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert str(tmp_path) in str(services["ingest"]["volumes"])
    assert found["secrets"]["tables"]["file"] == str(tmp_path / "tables")
    assert str(RECEIVER.with_suffix(".py")) in str(services["receiver"]["volumes"])


def test_every_container_is_sealed_checked_and_seen_on_loopback_only() -> None:
    """Of the services the images bring the health check."""
    for name, service in plain()["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].partition(":")[0]) > 0, name
        assert ("healthcheck" in service) == (name in OTHERS), name
        assert service["restart"] == ("no" if name == ONCE else "unless-stopped"), name
        assert all(port.startswith("127.0.0.1:${") for port in service.get("ports", ())), name
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & service.keys(), name


def test_there_is_a_container_for_each_service_and_its_topics_are_made_beforehand() -> None:
    """A new service is missing here until it is added."""
    found = plain()["services"]
    assert found.keys() == {*ours(), ONCE, "observe", *OTHERS, "sla-watcher"}
    targets = [word for word in found[ONCE]["command"] if word.endswith(":service")]
    assert targets == list(settings(ROOT / "farandole.toml").config.up.services)
    for name in (*ours(), "observe", "sla-watcher"):
        assert found[name]["depends_on"][ONCE] == {"condition": "service_completed_successfully"}, name
    assert found[ONCE]["depends_on"]["kafka"] == {"condition": "service_healthy"}


def test_the_images_of_services_are_built_here_and_those_of_the_tests_own_servers_have_their_versions() -> None:
    """By name and version."""
    found = plain()["services"]
    for name in (*services(), ONCE):
        image = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", found[name]["image"])
        assert image == image_name(ALL if name == ONCE else name)
    assert defaults("small")["KAFKA"] == f"apache/kafka:{kafka_version()}"
    assert defaults("objects")["OBJECTS"] == f"andrewgaul/s3proxy:{pinned(S3PROXY)}"
    assert defaults("small").keys() == {"KAFKA", "POSTGRES", "PROMETHEUS"}
    assert defaults("full").keys() == {"KAFKA", "POSTGRES", "PROMETHEUS", "OBJECTS", "JAEGER", "GRAFANA"}


def test_whoever_may_speak_to_the_object_store_is_given_its_secret_and_by_file_only() -> None:
    """The volume has its owner before it is used."""
    found = plain()
    for name in (*ours(), "observe"):
        assert "objects" in found["services"][name]["secrets"], name
    objects = found["services"]["objects"]
    assert set(found["secrets"]) == {*NAMES}
    assert "/run/secrets/objects" in objects["entrypoint"][-1]
    assert not [name for name in objects["environment"] if "CREDENTIAL" in name]
    assert objects["user"] == found["services"][ONCE]["user"]
    assert objects["depends_on"][ONCE] == {"condition": "service_completed_successfully"}
    (shown,) = found["services"][ONCE]["volumes"]
    assert shown == "objects:/var/lib/farandole"


def test_both_servers_on_java_are_made_of_one_layer_with_it() -> None:
    """Else it is fetched twice."""
    texts = [(DEPLOY / "images" / name / "Dockerfile").read_text() for name in ("kafka", "objects")]
    assert len({re.findall(r"^RUN (?:.*\\\n)*.*$", text, re.MULTILINE)[0] for text in texts}) == 1


def test_nobody_is_killed_who_is_still_within_the_grace() -> None:
    """Compose waits for longer than the service does."""
    for name in (*ours(), "observe"):
        grace = re.fullmatch(r"\$\{GRACE:-(.*)\}", plain()["services"][name]["environment"]["FARANDOLE_GRACE"])
        assert grace is not None, name
        assert seconds(plain()["services"][name]["stop_grace_period"]) >= seconds(grace[1]) + 10, name


def test_prometheus_scrapes_by_the_names_that_containers_have() -> None:
    """Each name of its configuration is that of a container, and each service is scraped."""
    scraping = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    names = {name for job in scraping for where in job["dns_sd_configs"] for name in where["names"]}
    assert names <= plain()["services"].keys()
    assert names >= {*ours(), "observe"}


def test_grafana_is_given_every_variable_of_its_sources_and_every_folder_that_they_name() -> None:
    """Dashboards and data sources come from deploy/grafana."""
    grafana = plain()["services"]["grafana"]
    provisioned = (DEPLOY / "grafana" / "provisioning" / "datasources" / "farandole.yaml").read_text()
    wanted = set(re.findall(r"(?<!\$)\$(FARANDOLE_\w+)", provisioned))
    given = {*grafana["environment"], *re.findall(r"(FARANDOLE_\w+)=", " ".join(grafana["entrypoint"]))}
    assert wanted <= given
    providers = yaml.safe_load((DEPLOY / "grafana" / "provisioning" / "dashboards" / "farandole.yaml").read_text())
    mounted = {volume.split(":")[1] for volume in grafana["volumes"]}
    assert {one["options"]["path"] for one in providers["providers"]} <= mounted
    reader = (DEPLOY / "postgres" / "reader.sh").read_text()
    assert f"ROLE {grafana['environment']['FARANDOLE_TABLES_USER']} " in reader
