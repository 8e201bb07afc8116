"""`farandole k8s render`: manifests for Kubernetes from what services declare; no log is opened, no cluster asked."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from farandole.cli.options import ConfigOption, JsonOption, settings
from farandole.cli.say import emit, line
from farandole.cli.services import load_services
from farandole.config import Loaded
from farandole.events.durations import seconds
from farandole.events.errors import BadInput, ConfigError
from farandole.files import write_changed

_EXTRA = "yaml"
_ASSETS, _STORE, _TRACES = "s3://farandole", "postgresql://farandole@postgres/farandole", "otlp://otel-collector:4317"


TargetsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODULE:SERVICE…",
        help="Default: `services` in [up] of farandole.toml, else every services/*/src/*/steps.py.",
    ),
]
OverlayOption = Annotated[
    str | None, typer.Option("--overlay", metavar="NAME", help="dev or production, instead of the base.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FOLDER", help="Write base/ and overlays/ there, for kustomize.")
]
PrefixOption = Annotated[str, typer.Option("--image-prefix", metavar="TEXT", help="What image names begin with.")]
TagOption = Annotated[
    str | None, typer.Option("--tag", metavar="TAG", help="Of all images; default: each service's version.")
]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", metavar="NAME", help="Strimzi's Kafka; default: as --log names it.")
]
LogOption = Annotated[
    str | None,
    typer.Option("--log", metavar="URL", help="The kafka:// log; default: the brokers of --cluster, with users."),
]
AssetsOption = Annotated[str, typer.Option("--assets", metavar="URL", help="Where pods keep assets.")]
RetentionOption = Annotated[
    str | None, typer.Option("--retention", metavar="DURATION", help="How long events are kept; default: for ever.")
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    k8s = typer.Typer(help="Kubernetes: the manifests of what services declare.", no_args_is_help=True)
    k8s.command("render")(render)
    app.add_typer(k8s, name="k8s")


def render(
    targets: TargetsArgument = None,
    overlay: OverlayOption = None,
    out: OutOption = None,
    image_prefix: PrefixOption = "farandole",
    tag: TagOption = None,
    cluster: ClusterOption = None,
    log: LogOption = None,
    assets: AssetsOption = _ASSETS,
    retention: RetentionOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Print the manifests as YAML, or write a kustomize base with overlays; what is there already stays untouched."""
    loaded = settings(config, log=log)
    tree = _tree()
    chosen = _overlays(overlay, tree.OVERLAYS)
    base = _site(
        loaded,
        cluster,
        assets=assets,
        images=image_prefix.rstrip("/"),
        tag=tag or "",
        retention=None if retention is None else seconds(retention, name="--retention"),
    )
    dance = tree.Dance(load_services(_targets(targets, loaded), loaded), _capacities(loaded))
    if out is None:
        _print(tree.built(dance, base, overlay), tree.text_of, as_json)
        return
    _tell(out, write_changed(out, tree.tree(dance, base, chosen), what="--out"), as_json)


def _tree() -> Any:
    """What needs more than the library: loaded by who asks for it."""
    try:
        return importlib.import_module("farandole.deploying.tree")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != _EXTRA:
            raise
        raise ConfigError("k8s render needs an extra: pip install 'farandole[k8s]'") from error


def _site(loaded: Loaded, cluster: str | None, **said: Any) -> Any:
    """Where it is deployed, as the command line and the settings say it. Raises BadInput."""
    site = importlib.import_module("farandole.deploying.site")
    config, address = loaded.config, _address(loaded, site, cluster)
    made = site.Site(
        log=address,
        store=_store(config.store),
        traces=config.traces or _TRACES,
        cluster=cluster or site.cluster_of(address) or site.CLUSTER,
        partitions=config.partitions,
        grace=config.grace,
        **said,
    )
    return site.checked(made)


def _overlays(named: str | None, known: Any) -> list[str]:
    if named is not None and named not in known:
        raise BadInput(f"--overlay {named[:60]!r}: there are {', '.join(known)}; others stand in files of your own")
    return list(known) if named is None else [named]


def _address(loaded: Loaded, site: Any, cluster: str | None) -> Any:
    """Where the log is for pods. An embedded one is of one machine, so that it says nothing of a cluster's."""
    url = loaded.config.log
    if url.startswith("kafka:"):
        return importlib.import_module("farandole.engines.kafka.address").read_address(url)
    if loaded.origins.get(("log",)) == "--log":
        raise BadInput(f"--log {url.partition(':')[0]}: pods share no file; give kafka://host:9093/namespace")
    return site.default_log(cluster or site.CLUSTER)


def _store(url: str) -> str:
    """The tables' database as pods are told of it. Raises BadInput for a password, which would stand in a manifest."""
    if not url.startswith("postgres"):
        return _STORE
    login = url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if ":" in login:
        raise BadInput("store: its password would stand in a manifest; leave it out, it comes from a Secret")
    return url


def _targets(targets: list[str] | None, loaded: Loaded) -> list[str]:
    """The services that are meant. Raises BadInput where there are none."""
    chosen = list(targets or loaded.config.up.services) or list(_found(loaded.base / "services"))
    if not chosen:
        place = loaded.file or "farandole.toml"
        raise BadInput(
            f"{place}: up.services: no services; name them, or write [up] services = ['tiling.steps:service']"
        )
    return chosen


def _found(folder: Path) -> Iterator[str]:
    """Each service that lies there, made importable."""
    for steps in sorted(folder.glob("*/src/*/steps.py")):
        sys.path.insert(0, str(steps.parent.parent))
        yield f"{steps.parent.name}.steps:service"


def _capacities(loaded: Loaded) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (service, name): capacity.changes()
        for service, steps in loaded.config.step.items()
        for name, capacity in steps.items()
    }


def _print(documents: list[dict[str, Any]], text_of: Any, as_json: bool) -> None:
    if as_json:
        emit({"documents": documents})
    else:
        print(text_of(documents), end="")


def _tell(folder: Path, changed: list[str], as_json: bool) -> None:
    if as_json:
        emit({"folder": str(folder), "written": changed})
        return
    for name in changed:
        line(f"{folder / name}")
    if not changed:
        line(f"{folder}: nothing new")
