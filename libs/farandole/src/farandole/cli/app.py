"""Builds the application from the commands' modules; loads only the module that the command line asks for."""

import importlib
import importlib.metadata
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from farandole.cli.codes import table
from farandole.cli.say import line, remark
from farandole.events.errors import NotFound

GROUP = "farandole.commands"
"""Entry points by which other packages add commands: each names a Typer or a function; `log.x` adds to our `log`."""

COMMANDS = (
    "new",
    "up",
    "run",
    "ps",
    "publish",
    "events",
    "dlq",
    "topics",
    "schemas",
    "k8s",
    "asset",
    "log",
    "doctor",
    "config",
)
"""In the order in which `--help` lists them; each has a module of its name here, `<name>_command`."""


OBSERVING = frozenset(
    (
        *("status", "explain", "timeline", "lineage", "stuck", "top", "topology", "traces", "dashboards"),
        *("observe", "projection", "log prune", "asset prune"),
    )
)
"""Commands that farandole-observe adds; who asks for one without it hears where it comes from."""


_EXTENDED = frozenset(command.partition(" ")[0] for command in OBSERVING if " " in command)


def build(argv: Sequence[str]) -> typer.Typer:
    """The application, with the command that `argv` names, or with all of them where it names none of ours."""
    app = typer.Typer(
        name="farandole",
        help="Choreographed data processing: services, an event log, and no coordinator.",
        epilog=table(),
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    asked, *rest = [argument for argument in argv if not argument.startswith("-")] or [""]
    wanted, others = _needed(asked, *rest[:1]) if argv != ["--version"] else ((), ())
    for name in wanted:
        importlib.import_module(f"farandole.cli.{name}_command").add(app)
    for entry in others:
        _mount(app, entry, asked)
    return app


def _needed(asked: str, part: str = "") -> tuple[Sequence[str], Iterable[importlib.metadata.EntryPoint]]:
    """Ours and others' commands that have to be loaded: the one that is asked for, or all of them."""
    if asked in COMMANDS and asked not in _EXTENDED:
        return [asked], ()
    entries = importlib.metadata.entry_points(group=GROUP)
    named = [entry for entry in entries if entry.name.partition(".")[0] == asked]
    there = {entry.name for entry in named}
    for command in {asked, f"{asked} {part}"} & OBSERVING:
        if command.replace(" ", ".") not in there:
            raise NotFound(
                f"`farandole {command}` comes with farandole-observe; install it (pip install farandole-observe)"
            )
    if asked in COMMANDS:
        return [asked], named
    return ((), named) if named else (COMMANDS, entries)


def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        line(importlib.metadata.version("farandole"))
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


def _mount(app: typer.Typer, entry: importlib.metadata.EntryPoint, asked: str) -> None:
    """A package whose command cannot be loaded must not take ours away; who asks for it hears why."""
    if entry.name in COMMANDS:
        remark(f"{entry.value}: a command {entry.name!r} is there already; the package that adds it has to rename it")
        return
    try:
        found = entry.load()
    except Exception as error:
        if asked == entry.name.partition(".")[0]:
            raise
        remark(f"command {entry.name!r} cannot be loaded: {type(error).__name__}: {error}")
        return
    noun, _, verb = entry.name.partition(".")
    if verb:
        group = next(group.typer_instance for group in app.registered_groups if group.name == noun)
        assert group is not None
        group.command(verb)(found)
    elif isinstance(found, typer.Typer):
        app.add_typer(found, name=entry.name)
    else:
        app.command(entry.name)(found)
