"""The folder of contracts: revisions are counted, committed files never change, and bad files are named."""

import hashlib
import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from farandole.events.errors import BadInput, DeclarationError, Incompatible
from farandole.events.event import Event
from farandole.events.schema import FILE_LIMIT, Change, export, load, pending, schema_of
from farandole.events.subset import canonical


def scene(name: str = "scene.received", version: int = 1, key: str | None = None, **fields: Any) -> type[Event]:
    full = {field: form if isinstance(form, tuple) else (form, ...) for field, form in fields.items()}
    made = create_model("Scene", __base__=Event, __cls_kwargs__={"type": name, "version": version, "key": key}, **full)  # type: ignore[call-overload]
    assert issubclass(made, Event)
    return made


FIRST = scene(scene_id=str)
SECOND = scene(scene_id=str, cloud=(float, 0.0))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def told(changes: list[Change]) -> list[tuple[str, int, int]]:
    return [(change.type, change.version, change.revision) for change in changes]


# --- export


def test_the_first_export_writes_revision_0_and_a_second_nothing(tmp_path: Path) -> None:
    """The folder is made; the same classes again leave every byte alone."""
    folder = tmp_path / "schemas"
    assert told(export([FIRST, scene("tile.extracted", x=int)], folder)) == [
        ("scene.received", 1, 0),
        ("tile.extracted", 1, 0),
    ]
    before = files(folder)
    assert sorted(before) == ["scene.received/v1.0.json", "tile.extracted/v1.0.json"]
    assert export([scene("tile.extracted", x=int), FIRST, FIRST], folder) == []
    assert files(folder) == before


def test_a_file_is_canonical_json_with_its_declaration(tmp_path: Path) -> None:
    """Sorted, indented, with a line feed; what it says of itself fits its name."""
    export([FIRST], tmp_path)
    text = (tmp_path / "scene.received/v1.0.json").read_text(encoding="utf-8")
    document = json.loads(text)
    assert text == canonical(document)
    mark = document.pop("x-farandole")
    digest = mark.pop("digest")
    assert mark == {"type": "scene.received", "version": 1, "revision": 0, "key": None, "final": False}
    assert len(digest) == 64
    assert document["required"] == ["scene_id"]


def test_a_compatible_change_is_the_next_revision(tmp_path: Path) -> None:
    """Committed files stay as they are."""
    export([FIRST], tmp_path)
    before = files(tmp_path)
    assert told(export([SECOND], tmp_path)) == [("scene.received", 1, 1)]
    assert told(export([scene(scene_id=str, haze=(str, ""))], tmp_path)) == [("scene.received", 1, 2)]
    assert files(tmp_path).items() >= before.items()
    assert [one.revision for one in load(tmp_path)] == [0, 1, 2]


def test_pending_tells_and_writes_nothing(tmp_path: Path) -> None:
    """What a check in a pipeline asks."""
    changes = pending([FIRST], tmp_path)
    assert told(changes) == [("scene.received", 1, 0)]
    assert files(tmp_path) == {}
    assert export([FIRST], tmp_path) == changes
    assert files(tmp_path) == {"scene.received/v1.0.json": changes[0].text.encode()}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (scene(scene_id=int), "scene_id"),
        (scene(scene_id=str, bands=int), "bands"),
        (scene(other=str), "scene_id"),
        (scene(scene_id=(str, "")), "scene_id"),
        (scene(scene_id=str | None), "scene_id"),
        (scene(scene_id=str, key="scene_id"), "key"),
    ],
    ids=["type", "new field", "lost field", "may be absent", "may be null", "key"],
)
def test_an_incompatible_change_is_refused_with_type_field_and_remedy(
    tmp_path: Path, changed: type[Event], field: str
) -> None:
    """Nothing is written, not even for other types; another version is the way."""
    export([FIRST], tmp_path)
    before = files(tmp_path)
    with pytest.raises(Incompatible) as caught:
        export([scene("a.new.type", x=int), changed], tmp_path)
    for part in ("scene.received v1", field, "version=2", "v1.0.json"):
        assert part in str(caught.value)
    assert files(tmp_path) == before


def test_a_change_must_fit_every_committed_revision_and_not_only_the_last(tmp_path: Path) -> None:
    """A field that went may not come back as something else."""
    for cloud in (SECOND, FIRST):
        export([cloud], tmp_path)
    export([scene(scene_id=str, haze=(str, ""))], tmp_path)
    with pytest.raises(Incompatible, match=r"v1\.0\.json.*cloud|cloud.*v1\.0\.json"):
        export([scene(scene_id=str, cloud=(str, ""))], tmp_path)


def test_another_version_starts_at_revision_0_and_owes_nothing_to_the_former(tmp_path: Path) -> None:
    """Both stay: the log holds both."""
    export([FIRST], tmp_path)
    assert told(export([scene(version=2, scene_id=int)], tmp_path)) == [("scene.received", 2, 0)]
    assert [(one.version, one.revision) for one in load(tmp_path)] == [(1, 0), (2, 0)]
    assert told(export([SECOND], tmp_path)) == [("scene.received", 1, 1)]


def test_what_is_loaded_is_what_the_class_gave(tmp_path: Path) -> None:
    """So a view can be compared with either."""
    export([SECOND], tmp_path)
    assert load(tmp_path)[0].schema == schema_of(SECOND)


def test_two_classes_of_one_type_and_version_must_agree(tmp_path: Path) -> None:
    """Two services may not publish the same type with other contents."""
    with pytest.raises(DeclarationError, match=r"scene\.received\.v1 is declared by .*Scene and, with another schema"):
        export([FIRST, SECOND], tmp_path)
    assert files(tmp_path) == {}


def test_a_schema_that_no_file_may_hold_is_refused_before_it_is_written(tmp_path: Path) -> None:
    """What could not be loaded again is not exported."""
    fields: dict[str, Any] = {f"field_{i}": (str, "x" * 1000) for i in range(300)}
    long = scene(**fields)
    with pytest.raises(DeclarationError, match=r"scene\.received v1"):
        export([long], tmp_path)
    assert files(tmp_path) == {}


def test_an_empty_or_missing_folder_holds_nothing(tmp_path: Path) -> None:
    """And other files in it are left alone."""
    assert load(tmp_path / "none") == []
    (tmp_path / "README.md").write_text("contracts")
    assert load(tmp_path) == []


# --- bad files


def committed(folder: Path, **fields: Any) -> Path:
    export([scene(**(fields or {"scene_id": str}))], folder)
    return folder / "scene.received/v1.0.json"


def sealed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a committed file and give it the digest of its new content, as a forger would."""
    document = json.loads(path.read_text())
    change(document)
    mark = document["x-farandole"]
    mark.pop("digest", None)
    mark["digest"] = hashlib.sha256(canonical(document).encode()).hexdigest()
    path.write_text(canonical(document))


def put(field: str, schema: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["properties"].__setitem__(field, schema)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"string"', '"integer"'),
        lambda text: text.replace('"scene_id"', '"scene"'),
        lambda text: text.replace('"final": false', '"final": true'),
        lambda text: text.replace('"key": null', '"key": "scene_id"'),
    ],
)
def test_a_committed_file_that_was_edited_by_hand_is_refused(tmp_path: Path, edit: Callable[[str], str]) -> None:
    """The same version with another content: the digest tells."""
    path = committed(tmp_path)
    text = path.read_text()
    assert edit(text) != text
    path.write_text(edit(text))
    with pytest.raises(Incompatible, match="changed after its export") as caught:
        export([SECOND], tmp_path)
    assert str(path) in str(caught.value)


def test_a_committed_file_may_be_formatted_otherwise(tmp_path: Path) -> None:
    """Line ends and blanks are no content."""
    path = committed(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert load(tmp_path)[0].schema == schema_of(FIRST)


def test_a_forged_digest_does_not_make_an_edit_compatible(tmp_path: Path) -> None:
    """The class no longer fits what the file says."""
    sealed(committed(tmp_path), put("scene_id", {"type": "integer"}))
    with pytest.raises(Incompatible, match=r"scene\.received v1 .*scene_id"):
        export([FIRST], tmp_path)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"$ref": "https://example.org/scene.json"}, "not fetched"),
        ({"$ref": "file:///etc/passwd"}, "not fetched"),
        ({"$ref": "other.json#/properties/x"}, "not fetched"),
        ({"$ref": 5}, "not fetched"),
        ({"$ref": "#/$defs/Loop"}, "contains itself"),
        ({"$ref": "#/$defs/Far"}, "contains itself"),
        ({"$ref": "#"}, "contains itself"),
        ({"$ref": "#/$defs/Missing"}, "names nothing"),
        ({"$ref": "#/properties/scene_id"}, "names nothing"),
        ({"$ref": "#/$defs/Text", "minLength": 1}, "beside"),
        ({"$ref": "#/$defs/Doubling0"}, "more than"),
        ({"type": "string", "pattern": "^(a+)+$"}, "exponential"),
        ({"type": "string", "pattern": "^(a|a)*$"}, "exponential"),
        ({"type": "string", "pattern": r"(a)\1"}, "reference back"),
        ({"type": "string", "pattern": 5}, "not text"),
        ({"type": "string", "not": {"const": "x"}}, "'not' is not understood"),
        ({"type": "string", "$dynamicRef": "#x"}, "not understood"),
        ({"type": "text"}, "type of JSON"),
        ({"type": ["string", "text"]}, "type of JSON"),
        ({"minLength": 1}, "without a type"),
        ({"type": "string", "minLength": -1}, "count"),
        ({"type": "string", "minLength": True}, "count"),
        ({"type": "number", "minimum": "0"}, "number"),
        ({"type": "number", "multipleOf": 0}, "above 0"),
        ({"type": "object", "required": ["x"]}, "'x', which is not among"),
        ({"type": "object", "required": "x"}, "different names"),
        ({"type": "object", "properties": []}, "object"),
        (
            {"type": "object", "additionalProperties": {}, "propertyNames": {"type": "integer"}},
            "names in a JSON object",
        ),
        ({"type": "array", "items": 5}, "JSON object"),
        ({"type": "array", "prefixItems": {}}, "list"),
        ({"anyOf": []}, "list of some"),
        ({"anyOf": [{"type": "string"}], "minLength": 1}, "beside alternatives"),
        ({"enum": []}, "list of some"),
        ({"enum": ["a"], "minLength": 1}, "beside a list"),
        (False, "JSON object"),
        (None, "JSON object"),
    ],
)
def test_a_schema_that_cannot_be_relied_on_is_refused_by_file_and_field(tmp_path: Path, schema: Any, why: str) -> None:
    """Remote and recursive references, unsafe patterns, unknown or wrong keywords."""
    path = committed(tmp_path)
    definitions: dict[str, Any] = {
        "Text": {"type": "string"},
        "Loop": {"type": "array", "items": {"$ref": "#/$defs/Loop"}},
        "Far": {"type": "object", "properties": {"a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Away"}]}}},
        "Away": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Far"}},
        "Doubling20": {"type": "string"},
    }
    for level in range(20):
        twice = {side: {"$ref": f"#/$defs/Doubling{level + 1}"} for side in "ab"}
        definitions[f"Doubling{level}"] = {"type": "object", "properties": twice}
    sealed(path, lambda document: document.update({"$defs": definitions}))
    sealed(path, put("image", schema))
    with pytest.raises(Incompatible, match=why) as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)
    assert "image" in str(caught.value) or "parts" in str(caught.value)


def test_a_remote_reference_is_never_asked_for(tmp_path: Path) -> None:
    """No request reaches a server that would answer."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            sealed(committed(tmp_path), put("x", {"$ref": f"http://127.0.0.1:{server.server_port}/s.json"}))
            with pytest.raises(Incompatible, match="not fetched"):
                export([FIRST], tmp_path)
        finally:
            server.shutdown()
            thread.join()
    assert asked == []


def test_local_definitions_of_a_foreign_file_are_understood(tmp_path: Path) -> None:
    """What another language's tool wrote: references, const, oneOf, closed objects, lists of types."""
    path = committed(tmp_path)
    band = {"type": "object", "additionalProperties": False, "title": "Band", "properties": {"n": {"const": "x"}}}
    sealed(path, lambda document: document.update({"$defs": {"a/b": band}}))
    sealed(path, put("band", {"$ref": "#/$defs/a~1b", "description": "d"}))
    sealed(path, put("size", {"type": ["null", "integer"], "minimum": 0}))
    found = load(tmp_path)[0].schema["properties"]
    assert found["band"] == {"type": "object", "properties": {"n": {"enum": ["x"]}}, "description": "d"}
    assert {one["type"] for one in found["size"]["anyOf"]} == {"integer", "null"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"[]", "JSON object"),
        (b"null", "JSON object"),
        (b'{"type":"object","type":"object"}', "stands twice"),
        (b'{"default":NaN}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "x-farandole"),
        (b'{"x-farandole":{"type":"scene.received"}}', "x-farandole"),
        (b" " * (FILE_LIMIT + 1), "more than"),
        (b"\x80\x04pickle", "not JSON"),
    ],
)
def test_junk_in_a_schema_file_is_refused_by_its_name(tmp_path: Path, content: bytes, why: str) -> None:
    """One line that names the file, for the command line to print with exit code 2."""
    path = committed(tmp_path)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=why) as caught:
        pending([FIRST], tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "v1.0.json",
        "scene.received/v1.json",
        "scene.received/V1.0.json",
        "scene.received/v0.0.json",
        "x/y/v1.0.json",
        "scene.received/v1.00.json",
        "scene.received/latest.json",
        "Scene/v1.0.json",
        "farandole.facts/v1.0.json",
    ],
)
def test_a_schema_file_in_the_wrong_place_is_refused(tmp_path: Path, name: str) -> None:
    """A name that nobody would look up."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    with pytest.raises(Incompatible, match="are named") as caught:
        load(tmp_path)
    assert str(path) in str(caught.value)


def test_a_file_under_another_name_than_it_was_exported_is_refused(tmp_path: Path) -> None:
    """Copying a revision does not make another."""
    path = committed(tmp_path)
    (path.parent / "v1.1.json").write_bytes(path.read_bytes())
    with pytest.raises(Incompatible, match=r"v1\.1\.json.*another type, version or revision"):
        load(tmp_path)


def test_a_missing_revision_is_told(tmp_path: Path) -> None:
    """A revision is never removed: consumers may rely on it."""
    committed(tmp_path)
    export([SECOND], tmp_path)
    (tmp_path / "scene.received/v1.0.json").unlink()
    with pytest.raises(Incompatible, match=r"v1\.0\.json is missing"):
        load(tmp_path)


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """A FIFO without a writer would block for ever; a folder and a dangling link are no files either."""
    path = committed(tmp_path)
    for make in (os.mkfifo, os.mkdir, lambda place: os.symlink("/nowhere", place)):
        other = path.parent / "v2.0.json"
        make(other)
        with pytest.raises(Incompatible, match="not a regular file"):
            load(tmp_path)
        other.rmdir() if other.is_dir() else other.unlink()


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """It would otherwise look like an empty folder."""
    (tmp_path / "schemas").write_text("")
    with pytest.raises(Incompatible, match="not a folder"):
        load(tmp_path / "schemas")


def test_a_key_that_is_no_property_is_refused(tmp_path: Path) -> None:
    """The key of a foreign file must be one of its fields."""
    path = committed(tmp_path)
    sealed(path, lambda document: document["x-farandole"].update(key="nothing"))
    with pytest.raises(Incompatible, match="key is none of the properties"):
        load(tmp_path)
