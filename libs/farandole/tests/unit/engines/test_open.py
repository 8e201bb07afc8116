"""From a URL to an engine: every form that is known, and a remedy for every other."""

from pathlib import Path

import pytest

from farandole.engines.memory.cluster import Cluster
from farandole.engines.memory.log import MemoryLog
from farandole.engines.open import open_log, sqlite_path
from farandole.engines.sqlite.log import SqliteLog
from farandole.events.errors import ConfigError
from farandole.log.record import TopicSpec


async def test_memory_is_a_log_of_its_own() -> None:
    """Two that are opened without a name know nothing of each other."""
    one, two = await open_log("memory:"), await open_log("memory:?lease=2")
    await one.ensure([TopicSpec("a")])
    assert await two.topics() == []
    assert one.capabilities.engine == "memory"


async def test_memory_with_a_name_is_shared_by_those_who_share_the_clusters() -> None:
    """The caller keeps the clusters; the same name there is the same log, under one lease."""
    clusters: dict[str, Cluster] = {}
    one = await open_log("memory:demo?lease=2", clusters=clusters)
    two = await open_log("memory:demo", clusters=clusters)
    other = await open_log("memory:other", clusters=clusters)
    await one.ensure([TopicSpec("a")])
    assert (len(await two.topics()), len(await other.topics())) == (1, 0)
    assert (clusters["demo"].lease, clusters["other"].lease) == (2.0, 6.0)
    with pytest.raises(ConfigError, match="lease=2 already"):
        await open_log("memory:demo?lease=3", clusters=clusters)


async def test_a_memory_name_that_nobody_shares_is_refused() -> None:
    """It would be a log of its own, and nothing would say so."""
    with pytest.raises(ConfigError, match="memory:demo is shared by nobody"):
        await open_log("memory:demo")


async def test_sqlite_opens_the_file_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute with four slashes, relative with three; what one handle writes the other sees."""
    monkeypatch.chdir(tmp_path)
    absolute = await open_log(f"sqlite:///{tmp_path}/some%20log.db?lease=3")
    relative = await open_log("sqlite:///some%20log.db?lease=3")
    try:
        assert isinstance(absolute, SqliteLog)
        assert (tmp_path / "some%20log.db").exists()
        await absolute.ensure([TopicSpec("a")])
        assert [spec.name for spec in await relative.topics()] == ["a"]
    finally:
        await absolute.close()
        await relative.close()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/log.db", Path("var/log.db")),
        ("SQLITE:////var/log.db?lease=2", Path("/var/log.db")),
        ("memory:", None),
        ("kafka://host/eo", None),
    ],
)
def test_a_sqlite_url_names_its_file(url: str, path: Path | None) -> None:
    """Without opening it; other URLs name none."""
    assert sqlite_path(url) == path


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("", "no scheme"),
        ("var/log.db", "no scheme; use sqlite:///"),
        ("postgres://user:secret@host/db", r"scheme 'postgres'\); use sqlite:///"),
        ("kafka://", "names no broker; write kafka://host:9092"),
        ("sqlite:", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite://var/log.db", "three slashes"),
        ("sqlite:///:memory:", "use memory:"),
        ("memory://name", "no slashes"),
        ("memory:?leese=3", "option 'leese'"),
        ("sqlite:///log.db?lease=soon", "give 0.1 to 3600 seconds"),
        ("memory:?lease=0", "give 0.1 to 3600 seconds"),
        ("memory:?lease=nan", "give 0.1 to 3600 seconds"),
    ],
)
async def test_another_url_is_refused_with_the_remedy(url: str, remedy: str) -> None:
    """ConfigError says what to write instead, and repeats no secret."""
    with pytest.raises(ConfigError, match=remedy) as refused:
        await open_log(url)
    assert "secret" not in str(refused.value)


async def test_a_memory_log_needs_no_name() -> None:
    """Handles of one cluster get names of their own."""
    cluster = Cluster()
    assert len({MemoryLog(cluster).name for _ in range(5)}) == 5


async def test_a_log_that_is_a_link_to_itself_is_refused_by_name(tmp_path: Path) -> None:
    """Before anything else looks at it."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError, match="loop"):
        await open_log(f"sqlite:///{tmp_path}/loop")
