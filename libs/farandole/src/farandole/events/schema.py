"""The folder of contracts: one immutable file per revision of each event type, `<type>/v<version>.<revision>.json`.

A class says `version=`; revisions that change nothing for any reader are counted here. The files are checked as
if a stranger had written them: nothing that they name is fetched, no pattern of theirs is executed.
"""

import hashlib
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from farandole.events.compatibility import MARK, check_revision
from farandole.events.contract import schema_of, view_of
from farandole.events.edge import read_interoperable
from farandole.events.errors import DeclarationError, DecodeError, Incompatible
from farandole.events.event import Event, check_type_name
from farandole.events.subset import Schema, canonical, normal

__all__ = ["FILE_LIMIT", "Change", "Committed", "export", "load", "pending", "schema_of", "view_of"]

FILE_LIMIT = 256 * 1024  # bytes of one schema file
_NAME = re.compile(r"v([1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,5})\.json")
_MARK_FIELDS = frozenset(("type", "version", "revision", "key", "final", "digest"))


class Committed(NamedTuple):
    """One revision as its file holds it; `schema` is what `schema_of` gave."""

    type: str
    version: int
    revision: int
    path: Path
    schema: Schema


class Change(NamedTuple):
    """One revision that is not committed yet, and its file's text."""

    type: str
    version: int
    revision: int
    path: Path
    text: str


def export(types: Iterable[type[Event]], folder: Path) -> list[Change]:
    """Write what is new in `types` under `folder`, each file whole or not at all, and say what that was.

    Raises DeclarationError and Incompatible as `pending` does, before anything is written.
    """
    changes = pending(types, folder)
    for change in changes:
        change.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = change.path.with_suffix(".new")
        fresh.write_text(change.text, encoding="utf-8")
        fresh.rename(change.path)
    return changes


def pending(types: Iterable[type[Event]], folder: Path) -> list[Change]:
    """What `export` would write: the first revision of a version, or the next of a compatible change.

    Raises DeclarationError where a class has no schema, or two of one type and version differ; Incompatible where
    a class breaks with a committed revision of its version, or a file is not as it was exported.
    """
    committed = load(folder)
    changes = []
    for (name, version), schema in sorted(_declared(types).items()):
        known = [one for one in committed if (one.type, one.version) == (name, version)]
        if known and known[-1].schema == schema:
            continue
        for one in known:
            _check_change(schema, one)
        text = _text(schema, len(known))
        if len(text.encode()) > FILE_LIMIT:
            raise DeclarationError(f"{name} v{version}: its schema has more than {FILE_LIMIT} bytes")
        path = folder / name / f"v{version}.{len(known)}.json"
        changes.append(Change(name, version, len(known), path, text))
    return changes


def load(folder: Path) -> list[Committed]:
    """Every committed revision, in order of type, version and revision. Raises Incompatible naming file and field.

    Other files than `*.json` are left alone; a folder that does not exist holds nothing.
    """
    if folder.exists() and not folder.is_dir():
        raise Incompatible(f"{folder}: not a folder")
    found = sorted(
        (_load(path, folder) for path in folder.rglob("*.json")), key=lambda one: (one.type, one.version, one.revision)
    )
    for (name, version), group in groupby(found, key=lambda one: (one.type, one.version)):
        held = [one.revision for one in group]
        if held != list(range(len(held))):
            missing = min(set(range(held[-1])) - set(held))
            raise Incompatible(f"{folder / name}: v{version}.{missing}.json is missing; a revision is never removed")
    return found


def _declared(types: Iterable[type[Event]]) -> dict[tuple[str, int], Schema]:
    found: dict[tuple[str, int], tuple[type[Event], Schema]] = {}
    for event in types:
        schema = schema_of(event)
        first, known = found.setdefault((event.event_type.name, event.event_type.version), (event, schema))
        if known != schema:
            raise DeclarationError(
                f"{event.event_type.wire} is declared by {_where(first)} and, with another schema, by {_where(event)}"
            )
    return {wire: schema for wire, (_, schema) in found.items()}


def _check_change(schema: Schema, committed: Committed) -> None:
    problems = check_revision(schema, committed.schema)
    if problems:
        name, version = committed.type, committed.version
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Incompatible(
            f"{name} v{version} does not fit {committed.path}: {problems[0]}{more}. Give new fields a default and keep "
            f"the others as they were, or declare version={version + 1}"
        )


def _text(schema: Schema, revision: int) -> str:
    mark = {**schema[MARK], "revision": revision}
    digest = _digest({**schema, MARK: mark})
    return canonical({**schema, MARK: {**mark, "digest": digest}})


def _digest(document: Schema) -> str:
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _load(path: Path, folder: Path) -> Committed:
    name = _NAME.fullmatch(path.name)
    parts = path.relative_to(folder).parts
    if name is None or len(parts) != 2 or check_type_name(parts[0]):
        raise Incompatible(f"{path}: contracts are named <type>/v<version>.<revision>.json")
    document = _read(path)

    def refuse(field: str, why: str) -> Incompatible:
        return Incompatible(f"{path}: {f'field {field}: ' if field else ''}{why}")

    mark = document.get(MARK)
    if not isinstance(mark, dict) or mark.keys() != _MARK_FIELDS:
        raise refuse(MARK, f"an object of {', '.join(sorted(_MARK_FIELDS))} is expected; export it from its class")
    version, revision = int(name[1]), int(name[2])
    if (mark["type"], mark["version"], mark["revision"]) != (parts[0], version, revision):
        raise refuse(MARK, "it says another type, version or revision than the file's name")
    schema = normal(document, refuse)
    if mark["key"] is not None and mark["key"] not in schema.get("properties", {}):
        raise refuse(MARK, "its key is none of the properties")
    sealed = {key: value for key, value in mark.items() if key != "digest"}
    if mark["digest"] != _digest({**document, MARK: sealed}):
        raise refuse(MARK, "the file was changed after its export; restore it, and change the event's class instead")
    return Committed(parts[0], version, revision, path, {**schema, MARK: _declaration(mark)})


def _declaration(mark: dict[str, Any]) -> dict[str, Any]:
    return {name: mark[name] for name in ("type", "version", "key", "final")}


def _read(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():  # a FIFO would never end, a device neither
            raise Incompatible(f"{path}: not a regular file")
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise Incompatible(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > FILE_LIMIT:
        raise Incompatible(f"{path}: more than {FILE_LIMIT} bytes")
    try:
        document = read_interoperable(data)
    except DecodeError as error:
        raise Incompatible(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise Incompatible(f"{path}: a schema is a JSON object")
    return document


def _where(event: type[Event]) -> str:
    return f"{event.__module__}.{event.__qualname__}"
