"""The client without an event loop, on a real file."""

import asyncio
import threading
from pathlib import Path

import pytest

from farandole import BadInput, Client, LogError, LogUnavailable


def test_a_client_works_beside_a_running_loop_and_leaves_no_thread(tmp_path: Path) -> None:
    """As in a notebook, where a loop runs already."""
    before = threading.active_count()

    async def notebook() -> None:
        with Client(f"sqlite:///{tmp_path}/log.db") as client:
            assert client.workflows() == []
            assert client.dead() == []
            with pytest.raises(BadInput, match="is not known to this log; there are none"):
                client.publish("order.placed", "{}")

    asyncio.run(notebook())
    assert threading.active_count() == before


def test_a_client_that_is_not_open_says_so(tmp_path: Path) -> None:
    """Before, and after."""
    client = Client(f"sqlite:///{tmp_path}/log.db")
    with pytest.raises(LogError, match="not open"):
        client.workflows()
    with client:
        client.workflows()
    with pytest.raises(LogError, match="not open"):
        client.workflows()
    client.close()


def test_a_log_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    """No loop, no thread."""
    before = threading.active_count()
    (tmp_path / "log.db").mkdir()
    with pytest.raises((BadInput, LogUnavailable)), Client(f"sqlite:///{tmp_path}/log.db"):
        pass
    assert threading.active_count() == before
