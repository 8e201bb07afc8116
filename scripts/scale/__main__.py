"""What a dance needs at a rate, by the figures that `make bench-scale` measured.

python -m scripts.scale --rate 1000 [--hops 5] [--size 300] [--work 0.01] [--gathered 0] [--hottest 0]
                        [--replication 3] [--broker-cores 8] [--full 0.6] [--days 7] [--json]
python -m scripts.scale --write docs/scale.md       (the tables of that page, the simulation's too)
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.scale import document, simulate
from scripts.scale.coefficients import load
from scripts.scale.need import Ground, Model, Workload


def main(arguments: list[str]) -> int:
    """Answer, or write the page. Exit codes: 0; 2 where no dance is like what is asked."""
    options = _parser().parse_args(arguments)
    if options.write is not None:
        _write(options.write)
        return 0
    try:
        ground = Ground(
            cores=options.broker_cores, replication=options.replication, full=options.full, days=options.days
        )
        workload = Workload(options.rate, options.hops, options.size, options.work, options.gathered, options.hottest)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _answer(Model(load(), ground), workload, as_json=options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1_000.0, help="events a second from outside")
    parser.add_argument("--hops", type=int, default=5, help="steps that each passes, one after the other")
    parser.add_argument("--size", type=float, default=300.0, help="bytes of an event's JSON")
    parser.add_argument("--work", type=float, default=0.0, help="seconds of a core that a step itself takes for one")
    parser.add_argument("--gathered", type=float, default=0.0, help="members of groups that each gives rise to, beside")
    parser.add_argument("--hottest", type=float, default=0.0, help="share of the events that one key has, 0 to 1")
    parser.add_argument("--replication", type=int, default=3)
    parser.add_argument("--broker-cores", type=float, default=8.0)
    parser.add_argument("--full", type=float, default=0.6, help="share of anything that is planned with, up to 1")
    parser.add_argument("--days", type=float, default=7.0, help="that events and facts are kept")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", type=Path, help="write the tables of this page anew instead")
    return parser


def _answer(model: Model, workload: Workload, *, as_json: bool) -> None:
    layout = model.layout(workload)
    load, shares, limits = (
        model.load(workload, layout),
        model.shares(workload, layout),
        model.limits(workload, layout),
    )
    if as_json:
        told = {"layout": asdict(layout), "load": asdict(load), "shares": dict(shares), "limits": dict(_named(limits))}
        sys.stdout.write(json.dumps(told) + "\n")
        return
    console = Console(width=110)
    table = Table("what", "needed", title=f"{workload.rate:,g} events/s through {workload.hops} steps")
    for name, value in document.need(model, workload).items():
        table.add_row(name, value)
    console.print(table)
    for rate, name in limits:
        console.print(f"{name}: {shares[name]:.1%} used, full at {rate:,.0f} events/s", highlight=False)


def _named(limits: list[tuple[float, str]]) -> list[tuple[str, float]]:
    return [(name, rate) for rate, name in limits]


def _write(page: Path) -> None:
    found = load()
    blocks = {**document.quick(found), **document.long(found, simulate.simulated(found))}
    text = document.written(page.read_text(encoding="utf-8"), blocks, document.digest(found))
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
