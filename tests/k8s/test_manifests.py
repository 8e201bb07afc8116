"""What the manifests mean: enough for each service to do its work, and no more."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farandole.config import load
from farandole.deploying.pods import USER
from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.catalog import settings_of
from farandole.engines.kafka.clients import MARGIN
from farandole.engines.kafka.names import Names
from farandole.engines.kafka.security import read_security
from farandole.log.care import ENGINE_TOPICS
from farandole.runtime.ground import ground_of_all
from farandole.runtime.rights import Right, rights, rights_of_observer
from farandole_observe.dashboards.rules import scraping
from tests.k8s.rendered import IDS, OVERLAYS, Document, environment, of_kind, pods, rendered, services
from tests.k8s.restricted import breaches
from tests.observe.dashboards.asked import ours

PROJECTOR = "farandole-observe"
NAMESPACED = ("--log", "kafka://eo-kafka-bootstrap:9093/eo?security=sasl_ssl&mechanism=SCRAM-SHA-512")
every_overlay = pytest.mark.parametrize("overlay", OVERLAYS, ids=IDS)


def partitions(documents: list[Document]) -> dict[str, int]:
    return {made["spec"]["topicName"]: made["spec"]["partitions"] for made in documents if made["kind"] == "KafkaTopic"}


# -- one process of everything --------------------------------------------------------------------------------------


@every_overlay
def test_every_service_has_one_deployment_and_an_account_of_its_own(overlay: str | None) -> None:
    """And the projector; none is given a token, and selectors find exactly their own pods."""
    documents = rendered(overlay)
    deployments = of_kind("Deployment", documents)
    assert deployments.keys() == of_kind("ServiceAccount", documents).keys() == {*services(), PROJECTOR}
    for name, made in deployments.items():
        pod = made["spec"]["template"]
        assert pod["spec"]["serviceAccountName"] == name
        assert pod["spec"]["automountServiceAccountToken"] is False
        wanted = made["spec"]["selector"]["matchLabels"].items()
        assert [other for other, found in pods(documents) if wanted <= found["metadata"]["labels"].items()] == [name]
        assert not any("version" in label for label, _ in wanted), "a selector can never change"
    images = {name: made["spec"]["template"]["spec"]["containers"][0]["image"] for name, made in deployments.items()}
    assert images["tiling"] == f"farandole/tiling:{services()['tiling'].version}"
    assert images[PROJECTOR].startswith("farandole/observe:")


@every_overlay
def test_no_container_is_without_probes_and_limits(overlay: str | None) -> None:
    """Memory is bounded by what is asked for; cores are asked for and not bounded."""
    for name, pod in pods(rendered(overlay)):
        (container,) = pod["spec"]["containers"]
        paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
        assert paths == {"startup": "/livez", "readiness": "/readyz", "liveness": "/livez"}
        assert {port["name"] for port in container["ports"]} == {"metrics"}
        resources = container["resources"]
        assert resources["limits"] == {"memory": resources["requests"]["memory"]}
        assert resources["requests"].keys() == {"cpu", "memory"}
        if name in services() and overlay != "dev":
            declared = services()[name].resources
            assert resources["requests"] == {"cpu": declared.cpu, "memory": declared.memory}


@every_overlay
def test_a_pod_lives_on_for_longer_than_a_step_may_run(overlay: str | None) -> None:
    """Its grace covers the step's timeout, and the pod lives on until what was drained has committed."""
    documents = rendered(overlay)
    for name, service in services().items():
        grace = float(environment(name, documents)["FARANDOLE_GRACE"])
        timeouts = [step.policy.timeout or 0.0 for step in service.steps.values()]
        assert grace > max(timeouts)
        pod = of_kind("Deployment", documents)[name]["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > grace + MARGIN
    assert float(environment("ingest", documents)["FARANDOLE_GRACE"]) > 600, "its step may take ten minutes"


@every_overlay
def test_pods_keep_to_the_strictest_standard_and_to_less(overlay: str | None) -> None:
    """They write to their scratch only; no service of the namespace gets into their environment."""
    for name, pod in pods(rendered(overlay)):
        spec = pod["spec"]
        assert breaches(spec) == [], name
        assert spec["securityContext"]["runAsUser"] == USER > 0
        assert spec["enableServiceLinks"] is False
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
        assert writable <= {"/tmp", "/assets"}
        assert "sizeLimit" in spec["volumes"][0]["emptyDir"]
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}


BROKEN = {
    "allowPrivilegeEscalation is not false": lambda spec: spec["containers"][0]["securityContext"].clear(),
    "does not drop ALL": lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(drop=["CHOWN"]),
    "adds capabilities": lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(add=["CHOWN"]),
    "runAsNonRoot is not true": lambda spec: spec["securityContext"].pop("runAsNonRoot"),
    "runs as root": lambda spec: spec["securityContext"].update(runAsUser=0),
    "has no seccomp profile": lambda spec: spec["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "hostNetwork is set": lambda spec: spec.update(hostNetwork=True),
    "not allowed": lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "takes a port": lambda spec: spec["containers"][0]["ports"][0].update(hostPort=1),
    "is privileged": lambda spec: spec["containers"][0]["securityContext"].update(privileged=True),
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_pod_that_breaks_the_standard_is_found(said: str) -> None:
    """The check above can fail, in each of its ways."""
    spec: dict[str, Any] = copy.deepcopy(next(pods(rendered()))[1]["spec"])
    BROKEN[said](spec)
    assert any(said in breach for breach in breaches(spec))


# -- settings -------------------------------------------------------------------------------------------------------


@every_overlay
def test_every_process_takes_the_settings_that_it_is_told(
    overlay: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read as a process reads them: none is unknown, none is refused, and a login has all that it needs."""
    documents = rendered(overlay)
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith("FARANDOLE_")]:
        monkeypatch.delenv(variable)
    for name, _ in pods(documents):
        told = environment(name, documents)
        for variable, value in told.items():
            monkeypatch.setenv(variable, value)
        loaded = load()
        assert loaded.ignored == ()
        assert loaded.config.metrics == "0.0.0.0:9464"
        address = read_address(loaded.config.log)
        assert (address.mechanism != "") == (overlay != "dev")
        (tmp_path / "password").write_text("secret")
        kafka = {key: value for key, value in told.items() if key.startswith("FARANDOLE_KAFKA_")}
        assert ("FARANDOLE_KAFKA_CA" in kafka) == (overlay != "dev")
        mounted = {**kafka, "FARANDOLE_KAFKA_PASSWORD_FILE": str(tmp_path / "password")} if kafka else {}
        mounted.pop("FARANDOLE_KAFKA_CA", None)  # which would have to be a certificate
        assert read_security(address, mounted).user == ("" if overlay == "dev" else name)


def test_what_the_project_sets_of_a_step_goes_along(tmp_path: Path) -> None:
    """As variables, for no pod has the file; a longer timeout lengthens the grace, more at once bears more lag."""
    config = tmp_path / "farandole.toml"
    config.write_text(
        '[up]\nservices = ["ingest.steps:service"]\n[step.ingest.validate]\ntimeout = "1h"\nconcurrency = 7\n'
    )
    argv = [sys.executable, "-m", "farandole", "k8s", "render", "--json"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=True)
    documents = json.loads(done.stdout)["documents"]
    told = environment("ingest", documents)
    assert told["FARANDOLE_STEP__INGEST__VALIDATE__TIMEOUT"] == "3600"
    assert told["FARANDOLE_STEP__INGEST__VALIDATE__CONCURRENCY"] == "7"
    assert int(told["FARANDOLE_GRACE"]) > 3600
    (trigger,) = of_kind("ScaledObject", documents)["ingest"]["spec"]["triggers"]
    assert trigger["metadata"]["lagThreshold"] == "70"


def test_changed_settings_are_a_changed_pod() -> None:
    """Else a ConfigMap that changed would reach nobody before the next restart."""
    before, after = rendered(), rendered(None, "--assets", "s3://other")
    marks = [
        {pod["metadata"]["annotations"]["farandole/settings"] for _, pod in pods(made)} for made in (before, after)
    ]
    assert len(marks[0]) == len(marks[1]) == 1
    assert marks[0] != marks[1]


@every_overlay
def test_no_secret_stands_in_a_manifest(overlay: str | None) -> None:
    """Passwords are named by their Secret, and those of Kafka are files."""
    documents = rendered(overlay)
    assert not of_kind("Secret", documents)
    assert "secretKeyRef" not in json.dumps([pod for name, pod in pods(documents) if name != PROJECTOR])
    text = json.dumps(of_kind("ConfigMap", documents))
    assert "password" not in text.lower()


# -- topics, rights, scaling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", OVERLAYS, ids=IDS)
def test_the_topics_are_those_that_topics_apply_would_make(overlay: str | None) -> None:
    """With its settings; the engine's own too, for a service has no right to make them."""
    documents = rendered(overlay, *NAMESPACED)
    count = int(of_kind("ConfigMap", documents)["farandole"]["data"]["FARANDOLE_PARTITIONS"])
    wanted = [*ground_of_all(services().values(), {}, count), *ENGINE_TOPICS]
    made = {topic["spec"]["topicName"]: topic["spec"] for topic in of_kind("KafkaTopic", documents).values()}
    assert made.keys() == {f"eo.{spec.name}" for spec in wanted}
    copies = {None: None, "dev": 1, "production": 3}[overlay]
    for spec in wanted:
        topic = made[f"eo.{spec.name}"]
        assert (topic["partitions"], topic.get("replicas")) == (spec.partitions, copies)
        assert topic["config"] == settings_of(spec)
    assert (count >= 12) == (overlay == "production")


def test_a_retention_is_of_events_only() -> None:
    """As with `farandole topics apply`: what the library keeps stays whole."""
    made = of_kind("KafkaTopic", rendered(None, "--retention", "90d"))
    kept = {name: topic["spec"]["config"].get("retention.ms") for name, topic in made.items()}
    assert kept["scene.received"] == str(90 * 86_400_000)
    assert kept["farandole.journal"] == "-1"
    assert kept["mosaic.merge.state"] is None


def granted(user: Document) -> set[tuple[str, str, str, tuple[str, ...]]]:
    return {
        (rule["resource"]["type"], rule["resource"]["name"], rule["resource"]["patternType"], tuple(rule["operations"]))
        for rule in user["spec"]["authorization"]["acls"]
    }


def spelt(right: Right, namespace: str) -> tuple[str, str, str, tuple[str, ...]]:
    kind = {"transactional-id": "transactionalId"}.get(right.kind, right.kind)
    words = {"READ": "Read", "WRITE": "Write", "DESCRIBE": "Describe", "DESCRIBE_CONFIGS": "DescribeConfigs"}
    pattern = "prefix" if right.prefixed else "literal"
    return kind, Names(namespace).outer(right.name), pattern, tuple(words[word] for word in right.operations)


@pytest.mark.parametrize("overlay", [None, "production"])
def test_a_user_has_its_rights_and_nothing_else(overlay: str | None) -> None:
    """Each rule is one of the service's rights, and none is left out; nobody may make, alter or delete anything."""
    users = of_kind("KafkaUser", rendered(overlay, *NAMESPACED))
    assert users.keys() == {*services(), PROJECTOR}
    for name, service in services().items():
        assert granted(users[name]) == {spelt(right, "eo") for right in rights(service)}
        assert users[name]["spec"]["authentication"] == {"type": "scram-sha-512"}
    assert granted(users[PROJECTOR]) == {spelt(right, "eo") for right in rights_of_observer()}
    operations = {word for user in users.values() for *_, words in granted(user) for word in words}
    assert operations == {"Read", "Write", "Describe", "DescribeConfigs"}


def test_everything_of_a_log_without_a_namespace_is_all_that_there_is() -> None:
    """An empty prefix would be no name to Kafka."""
    found = granted(of_kind("KafkaUser", rendered())[PROJECTOR])
    assert {(name, pattern) for _, name, pattern, _ in found} == {("*", "literal")}


@pytest.mark.parametrize("overlay", [None, "production"])
def test_scaling_goes_by_lag_and_never_beyond_the_partitions(overlay: str | None) -> None:
    """Every trigger names a topic that there is and a group that its user may see; somebody is always there."""
    documents = rendered(overlay, *NAMESPACED)
    there, scaled = partitions(documents), of_kind("ScaledObject", documents)
    assert scaled.keys() == set(services())
    for name, made in scaled.items():
        spec = made["spec"]
        assert spec["scaleTargetRef"]["name"] == name
        assert "replicas" not in of_kind("Deployment", documents)[name]["spec"], "the scaler decides"
        assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"]
        acls = {(kind, called) for kind, called, *_ in granted(of_kind("KafkaUser", documents)[name])}
        for trigger in spec["triggers"]:
            told = trigger["metadata"]
            assert spec["maxReplicaCount"] <= there[told["topic"]]
            assert {("topic", told["topic"]), ("group", told["consumerGroup"])} <= acls
            assert told["allowIdleConsumers"] == "false"
            assert all(isinstance(value, str) for value in told.values())
            assert trigger["authenticationRef"]["name"] in of_kind("TriggerAuthentication", documents)
        assert (
            spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"]
            >= 300
        )


def test_what_feeds_an_inbox_is_watched_too() -> None:
    """A fan-in's own group reads its inbox, and its forwarders read what goes there; their groups are the engine's."""
    triggers = of_kind("ScaledObject", rendered(None, *NAMESPACED))["catalogue"]["spec"]["triggers"]
    assert {(t["metadata"]["consumerGroup"], t["metadata"]["topic"]) for t in triggers} == {
        ("eo.catalogue/shelve", "eo.catalogue.shelve.inbox"),
        ("eo.catalogue/shelve/cog.written", "eo.cog.written"),
        ("eo.catalogue/shelve/quicklook.rendered", "eo.quicklook.rendered"),
    }


# -- network, watching, budgets -------------------------------------------------------------------------------------


@every_overlay
def test_the_network_is_closed_but_for_what_is_needed(overlay: str | None) -> None:
    """Prometheus comes in; out go Kafka, names, assets and traces; the tables are the projector's alone."""
    documents = rendered(overlay)
    found = of_kind("NetworkPolicy", documents)
    closed = found["farandole-closed"]["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert not closed.keys() & {"ingress", "egress"}
    for _, pod in pods(documents):
        assert closed["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    opened = found["farandole"]["spec"]
    (scraped,) = opened["ingress"]
    assert [port["port"] for port in scraped["ports"]] == [9464]
    assert scraped["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "prometheus"}
    ports = {port["port"] for rule in opened["egress"] for port in rule["ports"]}
    assert ports == ({53, 9092} if overlay == "dev" else {53, 443, 4317, 4318, 9093})
    kafka = next(rule for rule in opened["egress"] if rule["ports"][0]["port"] in (9092, 9093))
    assert kafka["to"][0]["podSelector"]["matchLabels"]["strimzi.io/cluster"] == "farandole"
    tables = {name: made["spec"] for name, made in found.items() if "5432" in json.dumps(made)}
    assert set(tables) == (set() if overlay == "dev" else {PROJECTOR})


def test_the_jobs_are_those_that_alerts_and_dashboards_know() -> None:
    """What metrics say of their service is kept."""
    jobs = scraping(ours())["scrape_configs"]
    known = {job["job_name"]: job["honor_labels"] for job in jobs if job["job_name"].startswith("farandole-")}
    made = of_kind("PodMonitor", rendered())
    found_jobs = {}
    for monitor in made.values():
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        (relabelled,) = endpoint["relabelings"]
        found_jobs[relabelled["replacement"]] = endpoint["honorLabels"]
        selected = monitor["spec"]["selector"]["matchLabels"].items()
        found = {name for name, pod in pods(rendered()) if selected <= pod["metadata"]["labels"].items()}
        assert found == ({PROJECTOR} if relabelled["replacement"] == PROJECTOR else set(services()))
    assert found_jobs == known


@pytest.mark.parametrize("overlay", [None, "production"])
def test_a_node_can_always_be_emptied(overlay: str | None) -> None:
    """One process of a service may be away, however few there are; none goes before another came."""
    documents = rendered(overlay)
    budgets = of_kind("PodDisruptionBudget", documents)
    for name, made in of_kind("Deployment", documents).items():
        assert budgets[name]["spec"]["maxUnavailable"] == 1
        assert budgets[name]["spec"]["selector"] == made["spec"]["selector"]
        assert made["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        spread = made["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        assert all(one["labelSelector"] == made["spec"]["selector"] for one in spread)


def test_dev_stands_alone() -> None:
    """One process of each, a Kafka and a volume of its own; nothing scales, or asks who one is."""
    documents = rendered("dev")
    kinds = {made["kind"] for made in documents}
    assert not kinds & {"ScaledObject", "TriggerAuthentication", "KafkaUser", "PodDisruptionBudget"}
    assert {made["spec"]["replicas"] for made in of_kind("Deployment", documents).values()} == {1}
    (kafka,) = of_kind("Kafka", documents).values()
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    assert (listener["tls"], listener["port"], "authentication" in listener) == (False, 9092, False)
    (claim,) = of_kind("PersistentVolumeClaim", documents)
    for name, pod in pods(documents):
        claims = [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in pod["spec"]["volumes"]
            if "persistentVolumeClaim" in volume
        ]
        assert claims == ([] if name == PROJECTOR else [claim])
