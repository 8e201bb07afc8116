"""The demonstration's services: `farandole up` as one process, which ends with this one however that ends."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from farandole.events.errors import FarandoleError
from farandole.runtime.guarded import Guard, Guarded, Spec

_GRACE = 60.0  # seconds that all services together have to end; each has a grace of its own within
_TAIL = 20  # lines of their output that are shown when they fail


class CastFailed(FarandoleError):
    """The services did not start, or ended before they were told to."""


class Cast:
    """A context: `farandole up` runs inside, its output goes to the file `output`. `ended` tells that it is over."""

    def __init__(self, targets: Sequence[str], *, env: Mapping[str, str], output: Path) -> None:
        self.output = output
        self.ended = asyncio.Event()
        self._argv = [sys.executable, "-m", "farandole", "up", *targets]
        self._env = {**os.environ, **env}
        self._guard = Guard()
        self._process: Guarded | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.to_thread(self._start)
        self._process.control.setblocking(False)
        asyncio.get_running_loop().add_reader(self._process.control, self._report)
        return self

    def _start(self) -> Guarded:
        with self.output.open("wb") as output, open(os.devnull, "rb") as nothing:
            spec = Spec(sys.executable, self._argv, self._env, os.getcwd(), grace=_GRACE)
            return self._guard.start(spec, [nothing.fileno(), output.fileno(), output.fileno()])

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        assert process is not None
        process.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self.ended.wait()
        asyncio.get_running_loop().remove_reader(process.control)
        process.close()
        await asyncio.to_thread(self._guard.close)

    def failure(self, what: str) -> CastFailed:
        """An error that shows the end of what the services said."""
        lines = self.output.read_text(errors="replace").splitlines()[-_TAIL:]
        return CastFailed("\n".join([f"{what}; the end of {self.output}:", *lines]))

    def _report(self) -> None:
        process = self._process
        assert process is not None
        with suppress(BlockingIOError):
            process.receive()
        if process.over and not self.ended.is_set():
            asyncio.get_running_loop().remove_reader(process.control)
            self.ended.set()
