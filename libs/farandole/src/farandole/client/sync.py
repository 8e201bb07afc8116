"""`Client`: what `AsyncClient` does, for programs without an event loop; it keeps one in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from farandole.client.aclient import AsyncClient
from farandole.client.letters import DeadLetter
from farandole.client.publishing import Body, Published
from farandole.events.envelope import Envelope
from farandole.events.errors import LogError
from farandole.events.event import Event
from farandole.fold import Summary, WorkflowState

T = TypeVar("T")


class Client:
    """`with Client("sqlite:///var/log.db") as client:`. Each method is that of `AsyncClient`; thread-safe.

    The loop has a thread of its own, so it may be used where another loop runs already, as in a notebook.
    """

    def __init__(self, url: str, *, schemas: Path | None = None) -> None:
        self._client = AsyncClient(url, schemas=schemas)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_turn, args=[loop], name="farandole-client", daemon=True)
        thread.start()
        self._loop, self._thread = loop, thread
        try:
            self._call(self._client.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what was opened. Idempotent."""
        if self._loop is not None:
            try:
                self._call(self._client.close())
            finally:
                self._end()

    def publish(
        self,
        event: Event | str,
        data: Body | None = None,
        *,
        id: str | None = None,
        source: str = "client",
        workflow: str | None = None,
        traceparent: str | None = None,
    ) -> Published:
        """Publish an event, or a type with its JSON; returns when it is durable. See `AsyncClient.publish`."""
        return self._call(
            self._client.publish(event, data, id=id, source=source, workflow=workflow, traceparent=traceparent)
        )

    def workflows(self) -> list[Summary]:
        """A summary of every workflow, newest first."""
        return self._call(self._client.workflows())

    def find(self, name: str) -> str:
        """The workflow that `name` means. See `AsyncClient.find`."""
        return self._call(self._client.find(name))

    def status(self, workflow: str) -> WorkflowState:
        """All that is known of one workflow now. Raises NotFound."""
        return self._call(self._client.status(workflow))

    def wait(self, workflow: str, timeout: float | None = None, *, expect: str | None = None) -> WorkflowState:
        """Wait until nothing of the workflow can move by itself any more. See `AsyncClient.wait`."""
        return self._call(self._client.wait(workflow, timeout, expect=expect))

    def events(self, workflow: str) -> list[Envelope]:
        """Every event of a workflow in causal order, with its data. See `AsyncClient.events`."""
        return self._call(self._client.events(workflow))

    def dead(self) -> list[DeadLetter]:
        """Every delivery that stands dead, the latest first."""
        return self._call(self._client.dead())

    def redrive(self, *deliveries: str, by: str = "client") -> list[DeadLetter]:
        """Have dead letters tried again. See `AsyncClient.redrive`."""
        return self._call(self._client.redrive(*deliveries, by=by))

    def discard(self, *deliveries: str, reason: str, by: str = "client") -> list[DeadLetter]:
        """Let dead letters go. See `AsyncClient.discard`."""
        return self._call(self._client.discard(*deliveries, reason=reason, by=by))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise LogError("the client is not open; use it as `with Client(…) as client`")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C ends the waiting, and what was waited for
            future.cancel()
            raise

    def _end(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """The thread's work: run the loop until it is stopped, then end what it had others do."""
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
