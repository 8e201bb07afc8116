"""dask.distributed: one worker process with two threads, a future a step. Nothing of it is durable."""

import logging
import sys

from distributed import Client, Future, LocalCluster

from tests.bench_kafka.programs.flow import STEPS, measure, step


def main() -> None:
    """The flows."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]  # of an untyped package
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]  # the same
    ):

        def submitted(value: int) -> Future[int]:
            future: Future[int] = client.submit(step, value, pure=False)
            for _ in range(STEPS - 1):
                future = client.submit(step, future, pure=False)
            return future

        def one(number: int) -> None:
            submitted(number).result()

        def many(count: int) -> None:
            client.gather([submitted(number) for number in range(count)])

        measure(one, many, count=int(sys.argv[1]))


if __name__ == "__main__":
    main()
