"""DBOS: a workflow of five steps, in the database that it is given."""

import sys

from dbos import DBOS  # type: ignore[import-not-found]  # lives in the peers' environment

from tests.bench_kafka.programs.flow import STEPS, measure, step


@DBOS.step()  # type: ignore[untyped-decorator]  # of an untyped package
def stepped(value: int) -> int:
    """One step."""
    return step(value)


@DBOS.workflow()  # type: ignore[untyped-decorator]  # the same
def flow(value: int) -> int:
    """Five of them."""
    for _ in range(STEPS):
        value = stepped(value)
    return value


def main() -> None:
    """The flows."""
    DBOS(config={"name": "bench", "system_database_url": sys.argv[2], "log_level": "ERROR", "run_admin_server": False})
    DBOS.launch()

    def many(count: int) -> None:
        for handle in [DBOS.start_workflow(flow, number) for number in range(count)]:
            handle.get_result()

    measure(flow, many, count=int(sys.argv[1]))
    DBOS.destroy()


if __name__ == "__main__":
    main()
