"""What tells an overlay from its base, as the patches by which kustomize makes the one of the other."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from farandole.deploying.naming import Document, identity

Operation = dict[str, Any]
"""One of RFC 6902."""
Patch = dict[str, Any]
"""A `target`, and the `patch` for all that it selects: operations, or a manifest that says to delete."""
_DELETE = "$patch"


def patches(base: Iterable[Document], wanted: Iterable[Document]) -> list[Patch]:
    """Patches that turn `base` into `wanted`, what `wanted` has beside left out; equal ones stand once."""
    goal = {identity(made): made for made in wanted}
    there = {identity(made): made for made in base}
    gone = [found for key, found in there.items() if key not in goal]
    made = [_removal(kind, names, there) for kind, names in _by_kind(gone).items()]
    changed: dict[str, list[Document]] = {}
    for key, before in there.items():
        if key in goal and (operations := list(differences(before, goal[key]))):
            changed.setdefault(json.dumps([key[0], operations]), []).append(before)
    for told, selected in changed.items():
        kind, operations = json.loads(told)
        names = [found["metadata"]["name"] for found in selected]
        made.append({"target": _target(kind, names, there), "patch": operations})
    return made


def differences(before: Any, after: Any, path: str = "") -> Iterator[Operation]:
    """The operations that turn `before` into `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_mappings(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif type(before) is not type(after) or before != after:  # to Python, 1 is True
        yield {"op": "replace", "path": path, "value": after}


def _of_mappings(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Operation]:
    for name, value in before.items():
        inner = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name in after:
            yield from differences(value, after[name], inner)
        else:
            yield {"op": "remove", "path": inner}
    for name in [name for name in after if name not in before]:
        yield {"op": "add", "path": f"{path}/{name.replace('~', '~0').replace('/', '~1')}", "value": after[name]}


def _of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[Operation]:
    """Element by element; what has another name is another thing. What is too much goes from the end."""
    for number, (one, other) in enumerate(zip(before, after, strict=False)):
        if isinstance(one, dict) and isinstance(other, dict) and one.get("name") != other.get("name"):
            yield {"op": "replace", "path": f"{path}/{number}", "value": other}
        else:
            yield from differences(one, other, f"{path}/{number}")
    for number in reversed(range(len(after), len(before))):
        yield {"op": "remove", "path": f"{path}/{number}"}
    for value in after[len(before) :]:
        yield {"op": "add", "path": f"{path}/-", "value": value}


def _by_kind(documents: Iterable[Document]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for made in documents:
        found.setdefault(made["kind"], []).append(made["metadata"]["name"])
    return found


def _removal(kind: str, names: list[str], there: Mapping[tuple[str, str], Document]) -> Patch:
    """One that deletes whatever the target selects; its name is not looked at."""
    api = there[kind, names[0]]["apiVersion"]
    gone = {_DELETE: "delete", "apiVersion": api, "kind": kind, "metadata": {"name": "any"}}
    return {"target": _target(kind, names, there), "patch": gone}


def _target(kind: str, names: list[str], there: Mapping[tuple[str, str], Document]) -> dict[str, str]:
    """By kind, and where others of it are not meant, by name: an expression that the whole name has to fit."""
    if len(names) == sum(other == kind for other, _ in there):
        return {"kind": kind}
    return {"kind": kind, "name": "|".join(re.escape(name).replace(r"\-", "-") for name in names)}
