"""`farandole k8s render`, as its users meet it: what it prints, writes, leaves alone and refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.project import Project
from tests.k8s.rendered import KUBERNETES, ROOT, parsed, render, rendered

MAKE = ("--log", "kafka://farandole-kafka-bootstrap:9093/eo?security=sasl_ssl")
"""As the Makefile's `k8s` has it."""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)


def test_what_is_committed_is_what_the_services_give_now(tmp_path: Path) -> None:
    """`make k8s` writes it; beside it stand only the components, which nobody renders."""
    assert f"K8S_LOG := {MAKE[1]}\n" in (ROOT / "Makefile").read_text()
    render(*MAKE, "--out", str(tmp_path))
    made = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    there = {str(path.relative_to(KUBERNETES)): path for path in KUBERNETES.rglob("*") if path.is_file()}
    rendered_there = {name for name in there if not name.startswith("components/")}
    assert rendered_there == made.keys()
    for name, text in made.items():
        assert there[name].read_text() == text, f"deploy/kubernetes/{name} is old; run make k8s, and commit it"


def test_the_same_services_give_the_same_bytes_and_no_time_or_place_is_in_them(tmp_path: Path) -> None:
    """Whatever the order in which services are named; so that a repository shows what really changed."""
    plain = render()
    targets = [f"{name}.steps:service" for name in ("tiling", "ingest", "cog")]
    assert render(*targets) == render(*reversed(targets))
    assert render() == plain
    assert str(ROOT) not in plain


def test_it_needs_no_log_and_makes_none(tmp_path: Path) -> None:
    """Nor anything else: a folder with services is enough."""
    project = Project.make(tmp_path)
    before = set(tmp_path.rglob("*"))
    done = project.main("k8s", "render")
    assert done.returncode == 0, done.stderr
    kinds = [made["kind"] for made in parsed(done.stdout)]
    assert kinds.count("Deployment") == 3
    assert {path for path in set(tmp_path.rglob("*")) - before if "__pycache__" not in str(path)} == set()


def test_services_that_lie_in_the_project_are_found_where_none_is_named(tmp_path: Path) -> None:
    """By their place alone; a project without any hears how to name one."""
    steps = tmp_path / "services" / "word-count" / "src" / "word_count_found" / "steps.py"
    steps.parent.mkdir(parents=True)
    (steps.parent / "__init__.py").write_text("")
    steps.write_text(
        "from farandole import Event, Resources, Service\n"
        'class Said(Event, type="word.said", key="k"):\n    k: str\n'
        'service = Service("word-count", accepts=[Said], resources=Resources(cpu="2", memory="3Gi"))\n'
        "@service.step\ndef count(said: Said) -> None: ...\n"
    )
    done = farandole(tmp_path, "k8s", "render", "--json")
    assert done.returncode == 0, done.stderr
    documents = json.loads(done.stdout)["documents"]
    (pod,) = [
        d["spec"]["template"]["spec"]
        for d in documents
        if d["metadata"]["name"] == "word-count" and d["kind"] == "Deployment"
    ]
    assert pod["containers"][0]["args"] == ["run", "word_count_found.steps:service"]
    assert pod["containers"][0]["resources"] == {"requests": {"cpu": "2", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
    (tmp_path / "empty").mkdir()
    none = farandole(tmp_path / "empty", "k8s", "render")
    assert (none.returncode, "no services; name them" in none.stderr) == (2, True), none.stderr


def farandole(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "farandole", *args]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_files_that_are_the_same_stay_untouched(tmp_path: Path) -> None:
    """The shape of --json is frozen; files of others beside them are left alone."""
    project = Project.make(tmp_path)
    first = json.loads(project.main("k8s", "render", "--json", "--out", "out").stdout)
    assert set(first) == {"folder", "written"}
    assert first["folder"] == "out"
    assert {
        "base/kustomization.yaml",
        "overlays/dev/kustomization.yaml",
        "overlays/production/kustomization.yaml",
    } < set(first["written"])
    (tmp_path / "out" / "overlays" / "ours").mkdir()
    (tmp_path / "out" / "overlays" / "ours" / "kustomization.yaml").write_text("mine")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.yaml")}
    assert json.loads(project.main("k8s", "render", "--json", "--out", "out").stdout)["written"] == []
    assert project.main("k8s", "render", "--out", "out").stdout == "out: nothing new\n"
    (tmp_path / "out" / "base" / "topics.yaml").write_text("edited")
    assert project.main("k8s", "render", "--out", "out").stdout == "out/base/topics.yaml\n"
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {tmp_path / "out" / "base" / "topics.yaml"}


def test_one_overlay_may_be_written_alone(tmp_path: Path) -> None:
    """With its base, for it is nothing without."""
    render("--out", str(tmp_path), "--overlay", "dev")
    assert {path.name for path in (tmp_path / "overlays").iterdir()} == {"dev"}
    assert (tmp_path / "base" / "kustomization.yaml").is_file()


def test_the_kustomizations_name_every_file_and_no_other() -> None:
    """Of the base and of both overlays."""
    for folder in (KUBERNETES / "base", *(KUBERNETES / "overlays").iterdir(), *(KUBERNETES / "components").iterdir()):
        index = yaml.safe_load((folder / "kustomization.yaml").read_text())
        named = {name for name in index["resources"] if not name.startswith("..")}
        assert named == {path.name for path in folder.iterdir()} - {"kustomization.yaml"}, folder


REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("--overlay", "staging"), "there are dev, production"),
    (("--log", "sqlite:///x.db"), "pods share no file"),
    (("--log", "kafka://user:secret@a:9092"), "no user or password belongs in the log's URL"),
    (("--log", "kafka://a:9093?security=ssl"), "Strimzi makes users for"),
    (("--cluster", "No_Name"), "--cluster"),
    (("--tag", "a/b"), "can be no tag of an image"),
    (("--retention", "soon"), "--retention"),
    (("nowhere.steps:service",), "install it, or run where it can be imported"),
    (("--out", "file"), "name another folder"),
]


@pytest.mark.parametrize(("args", "said"), REFUSED)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    args: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    """Exit code 2."""
    project = Project.make(tmp_path)
    (tmp_path / "file").write_text("")
    done = project.main("k8s", "render", *args)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_password_of_the_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stand in a ConfigMap; without it, the URL goes along."""
    project = Project.make(tmp_path)
    monkeypatch.setenv("FARANDOLE_STORE", "postgresql://eo:secret@db/tables")
    refused = project.main("k8s", "render")
    assert (refused.returncode, "it comes from a Secret" in refused.stderr) == (2, True), refused.stderr
    assert "secret@" not in refused.stderr
    monkeypatch.setenv("FARANDOLE_STORE", "postgresql://eo@db/tables")
    assert "FARANDOLE_STORE: postgresql://eo@db/tables\n" in project.main("k8s", "render").stdout


def test_names_of_images_and_of_the_cluster_are_the_users(tmp_path: Path) -> None:
    """One prefix, one tag; the cluster's name is in the brokers' address, the CA's Secret and every label."""
    documents = rendered(None, "--image-prefix", "registry.example.org/eo/", "--tag", "7", "--cluster", "eo")
    text = yaml.safe_dump_all(documents)
    images = {d["spec"]["template"]["spec"]["containers"][0]["image"] for d in documents if d["kind"] == "Deployment"}
    assert {"registry.example.org/eo/tiling:7", "registry.example.org/eo/observe:7"} <= images
    assert "kafka://eo-kafka-bootstrap:9093?security=sasl_ssl" in text
    assert "eo-cluster-ca-cert" in text
    labels = {d["metadata"]["labels"]["strimzi.io/cluster"] for d in documents if d["kind"].startswith("Kafka")}
    assert labels == {"eo"}


def test_brokers_that_ask_nobody_need_no_users() -> None:
    """Then there are none, and nothing of them is mounted."""
    documents = rendered(None, "--log", "kafka://broker-1:9092,broker-2:9092/eo", "--cluster", "eo")
    kinds = {made["kind"] for made in documents}
    assert not kinds & {"KafkaUser", "TriggerAuthentication"}
    assert "ScaledObject" in kinds
    assert "FARANDOLE_KAFKA" not in json.dumps(documents)
    (policy,) = [d for d in documents if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "farandole"]
    kafka: list[Any] = [rule for rule in policy["spec"]["egress"] if rule["ports"][0]["port"] == 9092]
    assert kafka == [{"ports": [{"port": 9092, "protocol": "TCP"}]}], "of brokers elsewhere only the port is known"


def test_without_its_extra_the_command_says_how_to_get_it(tmp_path: Path) -> None:
    """Every other command is there without it."""
    Project.make(tmp_path)
    code = "import sys; sys.modules['yaml'] = None; from farandole.cli import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code]
    done = subprocess.run([*argv, "k8s", "render"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install 'farandole[k8s]'" in done.stderr) == (2, True), done.stderr
    listed = subprocess.run([*argv, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (listed.returncode, "k8s" in listed.stdout) == (0, True), listed.stderr
