"""Prefect: a flow of five tasks on its ephemeral server."""

import asyncio
import sys

from prefect import flow, task  # type: ignore[import-not-found]  # lives in the peers' environment

from tests.bench_kafka.programs.flow import STEPS, measure, step


@task  # type: ignore[untyped-decorator]  # of an untyped package
async def stepped(value: int) -> int:
    """One step."""
    return step(value)


@flow  # type: ignore[untyped-decorator]  # the same
async def flowed(value: int) -> int:
    """Five of them."""
    for _ in range(STEPS):
        value = await stepped(value)
    return value


def main() -> None:
    """The flows, on one event loop: the server starts with the first."""
    with asyncio.Runner() as runner:

        async def many(count: int) -> None:
            await asyncio.gather(*(flowed(number) for number in range(count)))

        def one(number: int) -> None:
            runner.run(flowed(number))

        measure(one, lambda count: runner.run(many(count)), count=int(sys.argv[1]))


if __name__ == "__main__":
    main()
