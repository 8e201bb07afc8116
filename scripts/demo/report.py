"""What the demonstration says at its end: where the product is, what took how long, and how to look closer."""

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from farandole.cli.left import told
from scripts.demo.files import FILES
from scripts.demo.performance import Performance

_SHOWN = 20  # things left that are named


def print_report(performance: Performance, console: Console, command: tuple[str, str]) -> None:
    """Of a complete workflow. `command`: the program, and the options that go after its command."""
    console.print()
    console.print(_times(performance))
    console.print()
    done = sum(count.done for count in performance.state.summary.steps.values())
    console.print(f"complete after {performance.seconds:.1f} s: {performance.tiles} tiles, {done} deliveries done")
    for problem in performance.problems:
        console.print(f"the product is not valid: {problem}", markup=False, style="red")
    folder = _shown(performance.product)
    console.print(f"product: {folder}/", markup=False)
    for name, text in zip(FILES, ("Cloud-Optimised GeoTIFF", "true colour beside classes", "STAC item"), strict=True):
        console.print(f"  {folder}/{name}  {text}", markup=False)
    _print_commands(performance, console, command, ("status {}", "events {}", "topics"))


def print_left(performance: Performance, console: Console, command: tuple[str, str]) -> None:
    """Of a workflow that cannot go on by itself."""
    state = performance.state
    console.print(f"the workflow is not complete ({state.status}), and nothing moves any more:", style="red")
    for entry in state.left[:_SHOWN]:
        console.print(f"  {told(entry)}", markup=False)
    _print_commands(performance, console, command, ("status {}", "dlq list", "dlq redrive --all"))


def _shown(path: Path) -> str:
    """As somebody who stands here would type it."""
    here = Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def shape(performance: Performance) -> dict[str, Any]:
    """As JSON: workflow, status, seconds, tiles, product (a folder), valid, problems, log, and per step its counts."""
    state = performance.state
    return {
        "workflow": state.workflow,
        "status": state.status,
        "seconds": round(performance.seconds, 3),
        "tiles": performance.tiles,
        "product": str(performance.product),
        "valid": state.status == "complete" and not performance.problems,
        "problems": list(performance.problems),
        "log": performance.log,
        "steps": {
            step: {
                "done": count.done,
                "failed": count.failed,
                "attempts": count.attempts,
                "seconds": round(count.seconds, 3),
                "longest": round(count.longest, 3),
            }
            for step, count in state.summary.steps.items()
        },
    }


def _times(performance: Performance) -> Table:
    table = Table("step", box=None, pad_edge=False, header_style="bold")
    for name in ("deliveries", "seconds in all", "longest"):
        table.add_column(name, justify="right")
    steps = performance.state.summary.steps
    for step in performance.order:
        count = steps[step]
        table.add_row(step, str(count.done), f"{count.seconds:.2f}", f"{count.longest:.2f}")
    return table


def _print_commands(
    performance: Performance, console: Console, command: tuple[str, str], commands: tuple[str, ...]
) -> None:
    program, options = command
    console.print("look closer:", markup=False)
    for text in commands:
        console.print(f"  {program} {text.format(performance.state.workflow)}{options}", markup=False)
