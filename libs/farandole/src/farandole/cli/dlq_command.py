"""`farandole dlq`: what steps have set aside, and what is to become of it."""

import base64
import re
from typing import Annotated, Any

import typer

from farandole.cli import shapes
from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings, who, with_client
from farandole.cli.say import emit, line, moment, rows
from farandole.client import AsyncClient, DeadLetter
from farandole.client.letters import Verb, choose
from farandole.events.errors import BadInput
from farandole.log.record import Record

DeliveriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="DELIVERY…", help="Ids of dead letters, or unique prefixes.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All that stand dead (of --step, where it is given).")]
_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
_STEP = re.compile(f"{_NAME}/{_NAME}")


def _checked_step(step: str | None) -> str | None:
    """What names no step would quietly select nothing. Raises BadInput."""
    if step is not None and not _STEP.fullmatch(step):
        raise BadInput(f"--step {step[:80]!r}: write the service's and the step's name, such as tiling/extract")
    return step


StepOption = Annotated[
    str | None,
    typer.Option("--step", metavar="SERVICE/STEP", help="Only of this step.", callback=_checked_step),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    dlq = typer.Typer(help="Dead letters: list, show, redrive, discard.", no_args_is_help=True)
    dlq.command("list")(list_letters)
    dlq.command("show")(show)
    dlq.command("redrive")(redrive)
    dlq.command("discard")(discard)
    app.add_typer(dlq, name="dlq")


def list_letters(
    step: StepOption = None, as_json: JsonOption = False, log: LogOption = None, config: ConfigOption = None
) -> None:
    """List what stands dead, the latest first."""
    found = with_client(settings(config, log=log), lambda client: client.dead())
    letters = [letter for letter in found if step in (None, letter.step)]
    if as_json:
        emit({"dead_letters": [shapes.letter(letter) for letter in letters]})
    elif letters:
        header = ("DELIVERY", "STEP", "REASON", "SINCE", "EVENT", "ATTEMPT", "ERROR")
        rows(header, (_row(letter) for letter in letters))
    else:
        line("no dead letters")


def show(
    delivery: Annotated[str, typer.Argument(help="A dead letter's id, or a unique prefix.")],
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Show a dead letter with the record that it came of, as it stands in the log."""

    async def read(client: AsyncClient) -> tuple[DeadLetter, Record | None]:
        letter = choose(await client.dead(), delivery)
        return letter, None if letter.place is None else await client.log.fetch(*letter.place)

    letter, record = with_client(settings(config, log=log), read)
    shape = shapes.letter(letter) | _content(record)
    if as_json:
        emit(shape)
        return
    for name, value in shape.items():
        if isinstance(value, dict):
            line(f"{name:<10} {'/'.join(map(str, value.values()))}")
        elif isinstance(value, list):
            for header, text in value:
                line(f"header     {header}: {text}")
        elif value is not None:
            line(f"{name:<10} {value}")


def redrive(
    deliveries: DeliveriesArgument = None,
    every: AllOption = False,
    step: StepOption = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Have dead letters tried again, under the same ids, so that what they did already is not done twice."""
    letters = _tell(settings(config, log=log), deliveries, "redrive", every=every, step=step)
    _report(letters, "asked {} to try {} again", as_json=as_json)


def discard(
    deliveries: DeliveriesArgument = None,
    reason: Annotated[str, typer.Option(help="Why; it stands in the journal.")] = "",
    every: AllOption = False,
    step: StepOption = None,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> None:
    """Let dead letters go: what waits behind them goes on, and groups go on without them."""
    letters = _tell(settings(config, log=log), deliveries, "discard", every=every, step=step, reason=reason)
    _report(letters, "asked {} to let {} go", as_json=as_json)


def _tell(
    loaded: Any, deliveries: list[str] | None, verb: Verb, *, every: bool, step: str | None, reason: str = ""
) -> list[DeadLetter]:
    names = deliveries or []
    if bool(names) == every:
        raise BadInput(f"dlq {verb}: name dead letters, or give --all (with --step, where it is about one step)")

    async def run(client: AsyncClient) -> list[DeadLetter]:
        chosen = names
        if every:
            chosen = [letter.delivery for letter in await client.dead() if step in (None, letter.step)]
        if verb == "redrive":
            return await client.redrive(*chosen, by=who())
        return await client.discard(*chosen, by=who(), reason=reason)

    return with_client(loaded, run)


def _report(letters: list[DeadLetter], text: str, *, as_json: bool) -> None:
    if as_json:
        emit(shapes.asked(letters))
        return
    for letter in letters:
        line(text.format(letter.step, f"{letter.type} {letter.id}" if letter.id else f"group {letter.group}"))
    if not letters:
        line("no dead letters")


def _row(letter: DeadLetter) -> tuple[object, ...]:
    what = f"{letter.type} {letter.id}".strip() if letter.id else f"group {letter.group}"
    return letter.delivery, letter.step, letter.reason, moment(letter.since), what, letter.attempt, letter.error


def _content(record: Record | None) -> shapes.Json:
    """Headers and value as text; bytes that are no text as base64."""
    if record is None:
        return {"headers": None, "value": None}
    return {"headers": [[name, _text(raw)] for name, raw in record.headers], "value": _text(record.value)}


def _text(raw: bytes | None) -> str | None:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(raw).decode()}"
