"""The network between clients and brokers: a proxy before each node, which loses, delays, and cuts a node off."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import psutil

from scripts.kafka import Cluster
from scripts.ports import HOST
from tests.chaos_kafka.diary import CUT, LOSSES, Diary
from tests.kafka.proxy import (
    ADD_OFFSETS,
    ADD_PARTITIONS,
    END_TXN,
    HEARTBEAT,
    INIT,
    JOIN,
    PRODUCE,
    SYNC,
    TXN_OFFSET_COMMIT,
    Fault,
    Proxy,
    proxied,
)

APIS = (PRODUCE, JOIN, HEARTBEAT, SYNC, INIT, ADD_PARTITIONS, ADD_OFFSETS, TXN_OFFSET_COMMIT)
ENDING = 0.4  # share of losses that hit the end of a transaction
DELAY = (0.5, 4.0)  # seconds
GIVEN_UP = 12.0  # seconds: the client has called its transaction failed before it sees that the answer is lost
HELD_BACK = 0.7  # share of lost answers to the end of a transaction that are lost so late
CUT_FOR = (1.0, 8.0)  # seconds that a node is cut off
CUT_EACH = 4  # of the faults
REST = (0.5, 3.0)  # seconds between two
HELD = (6.0, 12.0)
"""Seconds that the end of a transaction is held at most: until another has gone on in its place, which takes four or
five, and not until the brokers have ended it themselves. If that other one did not fence it, it takes effect then."""
MEETS = 20.0  # seconds in which a loss has to meet its request, or it is taken back


class Network:
    """Proxies by node. `bootstrap`: what clients begin with."""

    def __init__(self, proxies: Mapping[int, Proxy]) -> None:
        self._proxies = dict(proxies)
        self.bootstrap = ",".join(f"{HOST}:{proxy.port}" for proxy in self._proxies.values())

    async def trouble(self, diary: Diary, *, faults: int, kills: int, chance: random.Random) -> None:
        """So many losses, delays and cuts, spread over the `kills` of services."""
        for number in range(faults):
            await asyncio.sleep(chance.uniform(*REST))
            await diary.reached("kill", kills * number // max(1, faults))
            proxy = self._proxies[chance.choice(sorted(self._proxies))]
            if number % CUT_EACH == CUT_EACH - 1:
                await self._cut(proxy, diary, chance.uniform(*CUT_FOR))
            else:
                await self._lose(diary, chance)
            if (number + 1) % 10 == 0:
                sys.stderr.write(f"network faults {number + 1}/{faults}\n")

    async def hold_commit(self, pid: int, within: float, seconds: float) -> bool:
        """Hold what next ends a transaction of this process, until its successor fences it, or for `seconds`.

        Whether one came. That successor finds it committed, if it looks after it has fenced, and not if before.
        """
        ports = _ports(pid)
        if not ports:
            return False
        fault = Fault(END_TXN, "hold", seconds=seconds, peers=ports)
        for proxy in self._proxies.values():
            proxy.inflict(fault)
        try:
            async with asyncio.timeout(within):
                await fault.met.wait()
        except TimeoutError:
            fault.times = 0
            return False
        return True

    @contextmanager
    def late_positions(self, pids: Iterable[int], seconds: float, times: int) -> Iterator[None]:
        """The next positions that these processes commit in a transaction come so late: perhaps after a rebalance, when
        another has gone on from where they stood.
        """
        fault = Fault(TXN_OFFSET_COMMIT, "delay", times, seconds, peers=frozenset[int]().union(*map(_ports, pids)))
        for proxy in self._proxies.values():
            proxy.inflict(fault)
        try:
            yield
        finally:
            for proxy in self._proxies.values():
                proxy.faults.remove(fault)

    async def _cut(self, proxy: Proxy, diary: Diary, seconds: float) -> None:
        with diary.fault(CUT):
            proxy.passable.clear()
            try:
                await asyncio.sleep(seconds)
            finally:
                proxy.passable.set()

    async def _lose(self, diary: Diary, chance: random.Random) -> None:
        """The next request of an API, wherever it is sent."""
        api = END_TXN if chance.random() < ENDING else chance.choice(APIS)
        deed, seconds = chance.choice(LOSSES), chance.uniform(*DELAY)
        if (api, deed) == (END_TXN, "lose answer") and chance.random() < HELD_BACK:
            seconds = GIVEN_UP
        fault = Fault(api, deed, seconds=seconds)
        for proxy in self._proxies.values():
            proxy.inflict(fault)
        try:
            async with asyncio.timeout(MEETS):
                await fault.met.wait()
            with diary.fault(fault.deed):
                if fault.deed != "lose request":  # that is seen at once; an answer is waited for until it is lost
                    await asyncio.sleep(fault.seconds)
        except TimeoutError:
            fault.times = 0  # nobody asks for it now
        finally:
            for proxy in self._proxies.values():
                proxy.faults.remove(fault)


def _ports(pid: int) -> frozenset[int]:
    """Of the connections of a process; none where it is gone."""
    try:
        return frozenset(end.laddr.port for end in psutil.Process(pid).net_connections("tcp"))
    except psutil.NoSuchProcess:
        return frozenset()


@asynccontextmanager
async def network(cluster: Cluster, ports: Mapping[int, int]) -> AsyncIterator[Network]:
    """Proxies on these ports (by node) until the block ends."""
    async with AsyncExitStack() as stack:
        proxies = {
            node.id: await stack.enter_async_context(proxied(ports[node.id], (HOST, node.port)))
            for node in cluster.nodes
        }
        yield Network(proxies)
