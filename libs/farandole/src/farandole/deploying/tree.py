"""The files of a deployment: a kustomize base, and overlays that are made from it."""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from farandole.deploying.documents import Dance, documents
from farandole.deploying.naming import Document, identity
from farandole.deploying.patches import patches
from farandole.deploying.site import OVERLAYS, Site

HEAD = "# Made by `farandole k8s render`; do not edit: say it in the service, or in an overlay of your own.\n"
_INDEX = "kustomization.yaml"
_KUSTOMIZATION = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def built(dance: Dance, base: Site, overlay: str | None) -> list[Document]:
    """What `kustomize build` makes of the base, or of the overlay."""
    site = base if overlay is None else OVERLAYS[overlay](base)
    return [made for file in documents(dance, site).values() for made in file]


def tree(dance: Dance, base: Site, overlays: Iterable[str]) -> dict[str, str]:
    """Paths with texts: the base and these overlays."""
    files = documents(dance, base)
    texts = {f"base/{name}": text_of(made) for name, made in files.items()}
    texts[f"base/{_INDEX}"] = text_of([_KUSTOMIZATION | {"resources": list(files)}])
    there = [made for file in files.values() for made in file]
    for overlay in overlays:
        wanted = documents(dance, OVERLAYS[overlay](base))
        texts |= {f"overlays/{overlay}/{name}": text for name, text in _overlay(there, wanted).items()}
    return texts


def _overlay(there: list[Document], wanted: Mapping[str, list[Document]]) -> dict[str, str]:
    known = {identity(made) for made in there}
    new = {name: [made for made in file if identity(made) not in known] for name, file in wanted.items()}
    texts = {name: text_of(made) for name, made in new.items() if made}
    index: dict[str, Any] = _KUSTOMIZATION | {"resources": ["../../base", *texts]}
    changes = patches(there, [made for file in wanted.values() for made in file])
    index["patches"] = [{"target": one["target"], "patch": _Block(_yaml([one["patch"]]))} for one in changes]
    return texts | {_INDEX: text_of([index])}


class _Block(str):
    """Text that keeps its lines."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Plain YAML: no anchors, and a list indented below its name."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _block(dumper: yaml.SafeDumper, text: _Block) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|")


_Dumper.add_representer(_Block, _block)


def text_of(made: Iterable[Document]) -> str:
    """A file, or a stream, of these."""
    return HEAD + _yaml(made)


def _yaml(made: Iterable[Any]) -> str:
    texts = [yaml.dump(one, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True) for one in made]
    return "---\n".join(texts)
