"""A projector that folds to the end of the log at each line of stdin, and says how many MiB it holds then.

python -m tests.bench_observe.folder LOG STORE
"""

import asyncio
import gc
import sys

import psutil

from farandole.engines.open import open_log
from farandole_observe.cli.options import collect_rarely
from farandole_observe.projector.replica import Replica
from farandole_observe.store.opening import open_store


async def _serve(log_url: str, store_url: str) -> None:
    log, store = await open_log(log_url), await open_store(store_url)
    replica = Replica(log, store, "bench")
    while await asyncio.to_thread(sys.stdin.readline):
        await replica.catch_up()
        gc.collect()
        print(psutil.Process().memory_full_info().uss / 2**20, flush=True)
    await replica.close()
    await store.close()
    await log.close()


if __name__ == "__main__":
    collect_rarely()
    asyncio.run(_serve(*sys.argv[1:]))
