"""What `make smoke` says at its end."""

from typing import Any

from rich.console import Console
from rich.table import Table

from farandole.cli.left import told
from scripts.compose.smoke import Smoked

_SHOWN = 20  # things left that are named


def print_report(smoked: Smoked, console: Console) -> None:
    """A table of what was looked at; of a workflow that is not complete, what it waits for."""
    console.print()
    if smoked.state.status != "complete":
        console.print(f"the workflow is not complete ({smoked.state.status}):", style="red")
        for entry in smoked.state.left[:_SHOWN]:
            console.print(f"  {told(entry)}", markup=False)
        return
    console.print(f"complete after {smoked.seconds:.1f} s")
    table = Table("looked at", "", "found", box=None, pad_edge=False, header_style="bold")
    for finding in smoked.findings:
        table.add_row(finding.what, "[green]well[/]" if finding.well else "[bold red]wrong[/]", finding.said)
    console.print(table)
    if smoked.not_started:
        console.print(f"not started in profile {smoked.profile}: {', '.join(smoked.not_started)}")


def shape(smoked: Smoked) -> dict[str, Any]:
    """As JSON: profile, project, log, workflow, status, seconds, well, findings, images by service, not_started."""
    return {
        "profile": smoked.profile,
        "project": smoked.project,
        "log": smoked.log,
        "workflow": smoked.state.workflow,
        "status": smoked.state.status,
        "seconds": round(smoked.seconds, 3),
        "well": smoked.well,
        "findings": [finding._asdict() for finding in smoked.findings],
        "images": smoked.images,
        "not_started": list(smoked.not_started),
    }
