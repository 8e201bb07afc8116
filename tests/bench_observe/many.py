"""(c) A million finished workflows: the projector's memory on the way, and `status` of one among them."""

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from farandole.engines.open import open_log
from farandole_observe.questions.asking import picture
from farandole_observe.store.opening import Store, open_store
from tests.bench.bars import Bar, percentile
from tests.bench_observe import chains

WORKFLOWS = 1_000_000
WARM = 20_000  # workflows after which memory is looked at first
FLAT = 100_000  # further ones, over which it has to stay
STEP = 100_000  # workflows written at once
LOOKS = 300
SEED = 1


def run(workflows: int = WORKFLOWS) -> list[Bar]:
    """Both bars."""
    with tempfile.TemporaryDirectory(prefix="farandole-bench-") as name:
        folder = Path(name)
        log, store = f"sqlite:///{folder / 'log.db'}", f"sqlite:///{folder / 'tables.db'}"
        command = [sys.executable, "-m", "tests.bench_observe.folder", log, store]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as projector:
            memory, seconds = asyncio.run(_fold(log, projector, workflows))
        size = (folder / "tables.db").stat().st_size / 2**20
        delays = asyncio.run(_ask(store, workflows))
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    flat = f"{memory[WARM]:.0f} MiB after {WARM:,}, {memory[workflows]:.0f} after {workflows:,}"
    folded = f"folded into tables of {size:,.0f} MiB at {workflows / seconds:,.0f} workflows/s"
    note = f"p50 {p50 * 1000:.1f} ms of {LOOKS}; {folded}"
    return [
        Bar(
            "projector's memory over 100,000 workflows", memory[WARM + FLAT] / memory[WARM], 1.1, "x", False, note=flat
        ),
        Bar("status of one of a million, p99", p99 * 1000, 50.0, "ms", False, note=note),
    ]


async def _fold(log_url: str, projector: subprocess.Popen[str], workflows: int) -> tuple[dict[int, float], float]:
    """MiB that the projecting process holds after so many workflows, and the seconds that it took for all."""
    log = await open_log(log_url)
    await chains.prepare(log, 1)
    memory, done, seconds = dict[int, float](), 0, 0.0
    assert projector.stdin is not None
    assert projector.stdout is not None
    for number in (WARM, WARM + FLAT, *range(WARM + FLAT + STEP, workflows, STEP), workflows):
        await chains.write(log, range(done, number), 1)
        begun = time.perf_counter()
        projector.stdin.write("on\n")
        projector.stdin.flush()
        memory[number] = float(projector.stdout.readline())
        seconds += time.perf_counter() - begun
        done = number
        sys.stderr.write(f"many: {number:,} workflows, {memory[number]:.0f} MiB\n")
    projector.stdin.close()
    await log.close()
    return memory, seconds


async def _ask(store_url: str, workflows: int) -> list[float]:
    """Seconds of a question each: by id, by a prefix of it, by type:key of the input."""
    rng, store, delays = random.Random(SEED), await open_store(store_url), list[float]()
    for number in range(LOOKS):
        key = f"{rng.randrange(workflows):08x}"
        workflow = await _timed(store, f"{chains.INPUT}:{key}", delays)
        if number % 3:
            delays.pop()
            assert await _timed(store, workflow if number % 3 == 1 else workflow[:12], delays) == workflow
    await store.close()
    return delays


async def _timed(store: Store, name: str, delays: list[float]) -> str:
    begun = time.perf_counter()
    async with picture(store, time.time()) as seen:
        state = await seen.state(await seen.find(name))
    delays.append(time.perf_counter() - begun)
    assert state.summary.status == "complete"
    return state.summary.workflow
