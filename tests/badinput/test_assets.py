"""A URI or content that may not be used: its delivery is dead at once; what is not there yet is looked for again."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from farandole import Asset, Context, Event, Retry, Service
from farandole.assets.local import LocalAssets
from farandole.assets.resolve import Resolver
from farandole.runtime.context import Tools
from farandole.testing import Rehearsal, check


class Named(Event, type="content.named", key="name"):
    name: str
    uri: str = ""
    image: Asset | None = None


class Seen(Event, type="content.seen", key="name", final=True):
    name: str
    text: str


service = Service("reading", accepts=[Named])


@service.step(retry=Retry(attempts=3, delay="1s"))
def read(named: Named, ctx: Context) -> Seen:
    return Seen(name=named.name, text=ctx.fetch(named.image or named.uri).read_text())


class Place:
    """A folder that may be read, a store, and a secret beside them."""

    def __init__(self, folder: Path) -> None:
        self.data, self.secret = folder / "data", folder / "secret"
        self.data.mkdir()
        (self.data / "fine").write_text("fine")
        self.secret.write_text("secret")
        self.store = LocalAssets(folder / "store")
        self.tools = Tools(self.store, Resolver(self.store, [self.data, Path("/dev")]))

    def rehearsal(self) -> Rehearsal:
        return Rehearsal(service, seed=None, partitions=1, tools=self.tools)

    def expect_dead(self, named: Named, error: str, reason: str = "terminal", attempts: int = 1) -> None:
        """The delivery is dead after so many attempts, and the next one is handled."""
        with self.rehearsal() as r:
            r.publish(named)
            r.publish(Named(name="next", uri=f"file://{self.data}/fine"))
            r.settle()
            (letter,) = r.dead_letters()
            assert (letter.reason, letter.attempt, letter.key) == (reason, attempts, named.name)
            assert letter.error.startswith(error)
            assert letter.error.isprintable()
            assert r.events(Seen) == [Seen(name="next", text="fine")]
            assert check(r.history()) == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


MOST_READS = 5_000  # of a name that flips, until it was met as both

URIS = {
    "63": ["file:///etc/passwd"],
    "64": [
        "file://{data}/../secret",
        "file://{data}/%2e%2e/secret",
        "file://{data}/..%00",
        "file://{data}/..%2fsecret",
    ],
    "65": ["file://{data}/link", "file://{data}/away/secret"],
    "66": ["http://169.254.169.254/", "http://[::ffff:127.0.0.1]/", "http://0x7f000001/"],
    "67": ["http://127.0.0.1:{port}/redirects"],
    "68": ["http://localhost:{port}/rebinds"],
    "69": ["https://user@host/x", "gopher://host/x", "file://user@host{data}/fine"],
    "71": ["file://{data}/fifo", "file:///dev/zero", "file://{data}"],
}


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hears whoever connects; nobody may."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize(("number", "uri"), [(number, uri) for number, uris in URIS.items() for uri in uris])
def test_63_to_71_a_uri_that_may_not_be_read_is_dead_at_once(
    place: Place, listener: socket.socket, number: str, uri: str
) -> None:
    """Refused by scheme, place or kind of file, without a retry, a wait, or a connection."""
    (place.data / "link").symlink_to(place.secret)
    (place.data / "away").symlink_to(place.data.parent)
    os.mkfifo(place.data / "fifo")
    begun = time.monotonic()
    given = uri.replace("{data}", str(place.data)).replace("{port}", str(listener.getsockname()[1]))
    place.expect_dead(Named(name=f"bad-{number}", uri=given), "AssetRefused: ")
    assert time.monotonic() - begun < 10
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_65_a_link_that_is_swapped_in_never_gives_the_secret(place: Place) -> None:
    """While a name flips between a file and a link to a secret, only the file's content comes out."""
    done = threading.Event()

    def flip() -> None:
        number = 0
        while not done.is_set():
            number += 1
            spare = place.data / f".spare{number}"
            spare.symlink_to(place.secret)
            os.rename(spare, place.data / "flips")
            done.wait(0.001)
            os.link(place.data / "fine", spare)
            os.rename(spare, place.data / "flips")
            done.wait(0.002)  # else nobody could read the file without a change in between

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        with place.rehearsal() as r:
            seen, dead = r.events(Seen), r.dead_letters()
            for published in range(100, MOST_READS + 1, 100):
                for number in range(published - 100, published):
                    r.publish(Named(name=str(number), uri=f"file://{place.data}/flips"))
                r.settle()
                seen, dead = r.events(Seen), r.dead_letters()
                if seen and any(letter.error.startswith("AssetRefused") for letter in dead):
                    break
    finally:
        done.set()
        thread.join()
    assert {one.text for one in seen} == {"fine"}
    assert len(seen) + len(dead) == published
    errors = {letter.error.partition(":")[0] for letter in dead}
    assert "AssetRefused" in errors, "the race was never on"
    assert errors <= {"AssetRefused", "AssetError"}  # a link that comes or goes is a change of the file


@pytest.mark.parametrize("damage", ["digest", "length"])
def test_70_content_that_does_not_fit_its_name_is_dead_at_once(place: Place, damage: str) -> None:
    """Another digest, or another length than the event says."""
    asset = place.store.put(place.data / "fine", "text/plain")
    if damage == "digest":
        path = place.store.path(asset)
        path.chmod(0o600)
        path.write_text("evil")
    else:
        asset = asset.model_copy(update={"size": asset.size + 1})
    place.expect_dead(Named(name="bad", image=asset), "AssetCorrupt: ")


def test_72_content_that_is_missing_is_retried_and_then_dead(place: Place) -> None:
    """As often as the step says, for an asset and for a file."""
    missing = Asset(uri=f"asset:sha256/{'0' * 64}", size=1, media_type="text/plain")
    place.expect_dead(Named(name="bad", image=missing), "AssetMissing: ", "exhausted", attempts=3)
    place.expect_dead(Named(name="bad", uri=f"file://{place.data}/later"), "AssetMissing: ", "exhausted", attempts=3)


def test_72_content_that_comes_in_time_is_read(place: Place) -> None:
    """By the retry; nothing is dead."""
    with place.rehearsal() as r:
        r.publish(Named(name="late", uri=f"file://{place.data}/later"))
        r.advance("0.5s")
        (place.data / "later").write_text("late")
        r.settle()
        assert r.events(Seen) == [Seen(name="late", text="late")]
        assert r.dead_letters() == []
        assert [fact.fact for fact in r.facts()] == ["retrying", "completed"]
