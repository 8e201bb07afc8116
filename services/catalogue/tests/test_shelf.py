"""A product appears whole under its scene's name, or not at all."""

import os
import threading
from pathlib import Path

import pytest

from catalogue.shelf import place_product

NAMES = ("product.tif", "quicklook.png", "item.json")


def files(folder: Path, text: str) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / name).write_text(f"{name} {text}")
    return {name: folder / name for name in NAMES}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def leftovers(shelf: Path) -> list[str]:
    return [path.name for path in (shelf / ".versions").iterdir() if path.name.startswith(".")]


def test_a_product_stands_under_its_scenes_name_and_placing_it_again_changes_nothing(tmp_path: Path) -> None:
    """A retry finds its own work done."""
    shelf = tmp_path / "deep" / "shelf"
    sources = files(tmp_path / "a", "one")
    folder = place_product(shelf, "scene-1", sources)
    assert folder == shelf / "scene-1"
    assert contents(folder) == {name: f"{name} one" for name in NAMES}
    before = os.readlink(folder)
    assert place_product(shelf, "scene-1", sources) == folder
    assert os.readlink(folder) == before
    assert leftovers(shelf) == []
    assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == ["scene-1"]


def test_a_reader_never_sees_a_mixture_while_products_are_replaced(tmp_path: Path) -> None:
    """Two versions are swapped for a while; every look through one open folder sees one of them, whole."""
    versions = [files(tmp_path / text, text) for text in ("one", "two")]
    folder = place_product(tmp_path / "shelf", "s", versions[0])
    stop = threading.Event()
    seen: set[str] = set()

    def look() -> None:
        while not stop.is_set():
            real = folder.resolve(strict=True)
            texts = {text.rpartition(" ")[2] for text in contents(real).values()}
            assert len(texts) == 1
            assert len(list(real.iterdir())) == 3
            seen.update(texts)

    reader = threading.Thread(target=look)
    reader.start()
    for turn in range(40):
        place_product(tmp_path / "shelf", "s", versions[turn % 2])
    stop.set()
    reader.join()
    assert seen == {"one", "two"}


def test_two_writers_of_the_same_product_end_in_the_same_state(tmp_path: Path) -> None:
    """A zombie and its successor place the same files at the same time."""
    sources = files(tmp_path / "a", "one")
    failures: list[BaseException] = []

    def place() -> None:
        try:
            place_product(tmp_path / "shelf", "s", sources)
        except BaseException as error:
            failures.append(error)

    for _ in range(5):
        writers = [threading.Thread(target=place) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert failures == []
    assert contents(tmp_path / "shelf" / "s") == {name: f"{name} one" for name in NAMES}
    assert leftovers(tmp_path / "shelf") == []


def test_a_failure_on_the_way_leaves_the_old_product_and_no_rubbish(tmp_path: Path) -> None:
    """One of the new files cannot be read."""
    folder = place_product(tmp_path / "shelf", "s", files(tmp_path / "a", "one"))
    broken = files(tmp_path / "b", "two")
    broken["item.json"].unlink()
    with pytest.raises(FileNotFoundError):
        place_product(tmp_path / "shelf", "s", broken)
    assert contents(folder) == {name: f"{name} one" for name in NAMES}
    assert leftovers(tmp_path / "shelf") == []


@pytest.mark.parametrize("scene_id", ["", "..", "../x", "a/b", ".hidden", "a\0b", "x" * 300, "a\n"])
def test_a_scene_id_that_would_leave_the_shelf_is_refused(tmp_path: Path, scene_id: str) -> None:
    """It names a folder, so it must be a plain name."""
    with pytest.raises(ValueError, match="cannot name a folder"):
        place_product(tmp_path / "shelf", scene_id, {})
