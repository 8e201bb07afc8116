"""An event class: strict when it is built, tolerant when it is read, and wrong declarations are refused at once."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from typing_extensions import TypedDict

from farandole.events.asset import Asset
from farandole.events.errors import DeclarationError
from farandole.events.event import TYPE_LIMIT, Event, check_type_name, explain

ASSET = Asset(uri="asset:sha256/" + "0" * 64, size=3, media_type="image/tiff")


class Band(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    gain: float = 1.0


@dataclass
class Corner:
    x: float


class Size(TypedDict):
    rows: int


class SceneStacked(Event, type="scene.stacked", key="scene_id", version=2):
    scene_id: str
    image: Asset
    bands: tuple[Band, ...] = ()
    corner: Corner | None = None
    size: Size | None = None


class Noted(Event, type="noted", final=True):
    text: str = ""


def test_the_declaration_is_the_wire_name_the_version_the_key_and_whether_it_is_final() -> None:
    """What a class declares can be asked of it."""
    assert SceneStacked.event_type.wire == "scene.stacked.v2"
    assert SceneStacked.event_type == ("scene.stacked", 2, "scene_id", False)
    assert Noted.event_type == ("noted", 1, None, True)


def test_an_event_reads_back_what_it_wrote() -> None:
    """data() and read() are inverse, with nested parts."""
    event = SceneStacked(scene_id="s1", image=ASSET, bands=(Band(name="B02"),), corner=Corner(1.5), size={"rows": 3})
    assert SceneStacked.read(event.data()) == event


def test_an_event_is_built_strictly_so_a_misspelt_field_is_an_error() -> None:
    """An unknown field is refused, in nested parts too."""
    with pytest.raises(ValidationError, match="scene_ID"):
        SceneStacked(scene_ID="s1", scene_id="s1", image=ASSET)  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="gian"):
        SceneStacked(scene_id="s1", image=ASSET, bands=[{"name": "B02", "gian": 2}])  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [(), ("image",), ("bands", 0), ("corner",), ("size",)])
def test_an_event_is_read_tolerantly_so_a_later_revision_may_add_fields_anywhere(place: tuple[Any, ...]) -> None:
    """Fields that this view does not know are ignored at every depth."""
    event = SceneStacked(scene_id="s1", image=ASSET, bands=(Band(name="B02"),), corner=Corner(1.5), size={"rows": 3})
    document = json.loads(event.data())
    part = document
    for step in place:
        part = part[step]
    part["added_later"] = {"deep": [1]}
    assert SceneStacked.read(json.dumps(document).encode()) == event


def test_reading_still_requires_what_the_view_declares() -> None:
    """Tolerance is for further fields, not for missing or wrong ones; the text names the field, not its value."""
    with pytest.raises(ValidationError) as caught:
        SceneStacked.read(b'{"image":{"uri":"asset:sha256/secret","size":1}}')
    told = explain(caught.value)
    assert "scene_id: Field required" in told
    assert "image.uri: " in told
    assert "secret" not in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b'{"scene_id":', b'{"scene_id":"\xff"}', b"[" * 100_000, b"9" * 5000, b"\x80\x04"]
)
def test_reading_what_is_no_such_event_ends_in_a_validation_error(data: bytes) -> None:
    """Bytes of any kind give pydantic's error and no other."""
    with pytest.raises(ValidationError):
        SceneStacked.read(data)


def test_an_event_is_immutable() -> None:
    """A fact does not change."""
    event = Noted(text="a")
    with pytest.raises(ValidationError):
        event.text = "b"  # type: ignore[misc]  # the point of the test


def test_no_event_holds_a_number_that_json_does_not_have() -> None:
    """NaN and infinity are refused when built and when read."""

    class Measured(Event, type="measured"):
        value: float

    with pytest.raises(ValidationError):
        Measured(value=float("nan"))
    with pytest.raises(ValidationError):
        Measured.read(b'{"value":1e999}')


def test_the_order_key_is_the_key_fields_value_as_text() -> None:
    """Numbers become text; without a key there is none."""

    class Counted(Event, type="counted", key="number"):
        number: int

    assert SceneStacked(scene_id="s1", image=ASSET).order_key == "s1"
    assert Counted(number=7).order_key == "7"
    assert Noted().order_key is None


def test_an_event_needs_a_type_name() -> None:
    """A subclass without type= is refused, also one of a named event."""
    with pytest.raises(DeclarationError, match=r"Nameless.*needs its name"):

        class Nameless(Event):
            pass

    with pytest.raises(DeclarationError, match=r"Child.*needs its name"):

        class Child(Noted):
            pass


def test_the_key_must_be_a_field() -> None:
    """The refusal names the fields that there are."""
    with pytest.raises(DeclarationError, match=r"key='scene' is no field; fields: scene_id"):

        class Wrong(Event, type="wrong", key="scene"):
            scene_id: str


@pytest.mark.parametrize("version", [0, -1])
def test_versions_count_from_one(version: int) -> None:
    """Version 0 would be no version on the wire."""
    with pytest.raises(DeclarationError, match="versions count from 1"):

        class Wrong(Event, type="wrong", version=version):
            pass


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Scene.Received", "lower-case"),
        ("scene_received", "lower-case"),
        ("scene..received", "lower-case"),
        ("../scene", "lower-case"),
        ("scene.received\n", "lower-case"),
        ("9scene", "lower-case"),
        ("a" * (TYPE_LIMIT + 1), "at most"),
        ("farandole.mine", "the library's"),
        ("tiles.inbox", "the library's"),
        ("tiles.state", "the library's"),
        ("tiles.dlq", "the library's"),
    ],
)
def test_a_name_that_cannot_be_a_topic_is_refused(name: str, why: str) -> None:
    """Names become topics and metric names, so both kinds of collision are excluded."""
    with pytest.raises(DeclarationError, match=why):
        type("Wrong", (Event,), {"__module__": "services"}, type=name)


@pytest.mark.parametrize("name", ["a", "scene.received", "scene-received.l1c", "a" * TYPE_LIMIT])
def test_ordinary_names_are_accepted(name: str) -> None:
    """Words, dots, dashes and digits."""
    assert check_type_name(name) is None


def test_the_config_of_a_class_may_be_extended() -> None:
    """Keywords of pydantic pass through beside ours."""

    class Trimmed(Event, type="trimmed", str_strip_whitespace=True):
        text: str
        at: datetime = datetime(2017, 1, 5, tzinfo=UTC)
        token: SecretStr | None = None

    assert Trimmed(text=" a ").text == "a"
    assert Trimmed.read(b'{"text":" a ","more":1}').text == "a"


class Kind(Enum):
    """As instruments are told apart."""

    OPTICAL = "optical"


class Exposed(Event, type="exposed", key="kind"):
    """Keyed by an enumeration."""

    kind: Kind


def test_an_enumerations_key_is_its_value_not_a_name_of_code() -> None:
    """What stands on the wire survives a renaming."""
    assert Exposed(kind=Kind.OPTICAL).order_key == "optical"
