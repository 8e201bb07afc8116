"""kustomize takes what is written, and makes of it what `farandole k8s render` prints."""

from pathlib import Path

import pytest
import yaml

from tests.k8s.rendered import KUBERNETES, Document, parsed, render, rendered
from tests.k8s.restricted import breaches
from tests.support.kustomize import build
from tests.support.operator_schemas import problems

pytestmark = pytest.mark.slow


def by_identity(documents: list[Document]) -> dict[tuple[str, str], Document]:
    found = {(made["kind"], made["metadata"]["name"]): made for made in documents}
    assert len(found) == len(documents)
    return found


@pytest.mark.parametrize("overlay", [None, "dev", "production"])
def test_what_is_printed_is_what_kustomize_builds(overlay: str | None, tmp_path: Path) -> None:
    """Of the base and of each overlay, manifest by manifest; only their order is kustomize's own."""
    render("--out", str(tmp_path))
    folder = tmp_path / "base" if overlay is None else tmp_path / "overlays" / overlay
    assert by_identity(parsed(build(folder))) == by_identity(rendered(overlay))


def test_an_overlay_of_ones_own_stands_on_ours(tmp_path: Path) -> None:
    """As docs/kubernetes.md has it, with every component: valid, restricted, and with what was asked for."""
    made = tmp_path / "kubernetes"
    render("--log", "kafka://farandole-kafka-bootstrap:9093/eo?security=sasl_ssl", "--out", str(made))
    for component in (KUBERNETES / "components").iterdir():
        target = made / "components" / component.name
        target.mkdir(parents=True)
        for file in component.iterdir():
            (target / file.name).write_text(file.read_text())
    text = (KUBERNETES.parents[1] / "docs" / "kubernetes.md").read_text()
    ours = yaml.safe_load(text.partition("overlays/ours/kustomization.yaml\n")[2].partition("```")[0])
    ours["components"] = [f"../../components/{name}" for name in ("demo", "kafka", "sla-watcher")]
    (made / "overlays" / "ours").mkdir()
    (made / "overlays" / "ours" / "kustomization.yaml").write_text(yaml.safe_dump(ours))
    documents = parsed(build(made / "overlays" / "ours"))
    assert {found["metadata"]["namespace"] for found in documents} == {"eo"}
    assert [said for said in problems(documents) if said] == []
    deployments = {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in documents if d["kind"] == "Deployment"}
    assert all(breaches(pod) == [] for pod in deployments.values())
    (tiling,) = deployments["tiling"]["containers"]
    assert tiling["image"] == "registry.example.org/eo/tiling:0.2.0"
    assert tiling["resources"]["limits"]["memory"] == "2Gi"
    mounted = {
        name: {m["mountPath"] for m in pod["containers"][0]["volumeMounts"]} for name, pod in deployments.items()
    }
    assert "/scenes" in mounted["ingest"]
    assert "/products" in mounted["catalogue"]
    assert "sla-watcher" in deployments
