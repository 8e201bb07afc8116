"""The processes of a rehearsal: who runs, who is down and comes back, and what ended for a reason of its own."""

import asyncio
from collections.abc import Callable, Sequence

from farandole.engines.memory.cluster import Cluster
from farandole.runtime.declare import Service
from farandole.runtime.host import Options
from farandole.testing.faults import Faults, Storm
from farandole.testing.process import Process

_DOWN = 1.0  # seconds after which a process is started again whose log failed it


class Troupe:
    """Every service in `replicas` processes, started again when the storm ends them, as a supervisor would."""

    def __init__(self, cluster: Cluster, options: Options, faults: Faults | None, seed: int | None) -> None:
        self.storm = Storm(faults, seed, cluster, self)
        self.failures: list[tuple[str, BaseException]] = []
        self._cluster, self._options = cluster, options
        self._processes: dict[str, Process] = {}
        self._services: dict[str, Service] = {}
        self._back: dict[str, float] = {}
        self._down: set[str] = set()

    async def start(self, services: Sequence[Service], replicas: int) -> None:
        """Start all; returns when they serve."""
        for service in services:
            for number in range(replicas):
                name = service.name if not number else f"{service.name}.{number + 1}"
                self._services[name] = service
                self._start(name)
        await self._serving()
        self.storm.begin()

    def kill(self, name: str, *, back_after: float) -> None:
        """The process of this name dies now, and is started again after so many seconds."""
        process = self._processes[name]
        if process.alive:
            self._back[name] = back_after
            process.kill()

    async def take_down(self, service: str) -> None:
        """Every process of the service dies now and stays down; returns when nothing of it runs."""
        for name in self._of(service):
            self._down.add(name)
            self._processes[name].kill()
            await self._processes[name].gone()

    async def stand_still(self, name: str, duration: float) -> None:
        """None of its calls goes on for so many seconds; returns at once."""
        self._cluster.pause(name)
        asyncio.get_running_loop().call_later(duration, self._cluster.resume, name)

    async def send_away(self, service: str) -> list[str]:
        """Every process of the service ends in an orderly way; ids of the deliveries that were left running."""
        names = self._of(service)
        self._down.update(names)
        await asyncio.gather(*(self._processes[name].stop() for name in names))
        return [left for name in names for left in self._processes[name].left]

    async def bring_back(self, service: str) -> None:
        """Start every process of the service that is down; returns when they serve."""
        for name in self._of(service):
            if name in self._down:
                self._down.discard(name)
                self._start(name)
        await self._serving()

    async def stop(self) -> list[str]:
        """Stop all in an orderly way; ids of the deliveries that were left running."""
        self.storm.calm()
        self._down.update(self._processes)
        await asyncio.gather(*(process.stop() for process in self._processes.values()))
        return [left for process in self._processes.values() for left in process.left]

    def _start(self, name: str) -> None:
        if name in self._down:
            return

        def passing(operation: str) -> None:
            self.storm.passing(name, operation)

        process = Process(name, self._services[name], self._cluster, options=self._options, passing=passing)
        self._processes[name] = process
        process.start(self._over)

    def _over(self, process: Process) -> None:
        name = process.name
        if process.error is not None:
            self.failures.append((name, process.error))
            asyncio.get_running_loop().stop()
        elif name not in self._down:
            restart: Callable[[str], None] = self._start
            asyncio.get_running_loop().call_later(self._back.pop(name, _DOWN), restart, name)

    async def _serving(self) -> None:
        waiting = [asyncio.ensure_future(p.started.wait()) for p in self._processes.values() if p.alive]
        await asyncio.gather(*waiting)

    def _of(self, service: str) -> list[str]:
        names = [name for name, found in self._services.items() if found.name == service]
        if not names:
            raise KeyError(f"no service {service!r} in this rehearsal; there are {', '.join(self._services)}")
        return names
