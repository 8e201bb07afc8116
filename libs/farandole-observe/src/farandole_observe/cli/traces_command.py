"""`farandole traces`: the spans that services export as they go, from the log alone."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farandole.cli.codes import Code
from farandole.cli.options import ConfigOption, JsonOption, LogOption, existing_log, settings
from farandole.cli.say import emit, line, remark, rows
from farandole.cli.traced import sender_to
from farandole.config import Loaded
from farandole.events.errors import BadInput, ConfigError
from farandole.events.ids import trace_id
from farandole.telemetry.switch import Destination, destination, tracing
from farandole_observe.cli.options import collect_rarely, instant_of, open_history
from farandole_observe.traces.rebuild import Rebuild

if TYPE_CHECKING:
    from farandole.telemetry.otlp import Sender

_SAID = 5.0  # seconds between two lines of progress

traces = typer.Typer(help="Traces of workflows, made of the log alone.", no_args_is_help=True)


@traces.command("rebuild")
def rebuild(
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what ended then or later: RFC 3339, or '2h ago'.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The receiver: otlp://host:4317, otlp+http://host:4318; default: as set."),
    ] = None,
    ratio: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Only this share of workflows, as sampling has it.")
    ] = 1,
    limit: Annotated[int, typer.Option(min=1, help="Name only so many workflows, the first.")] = 200,
    as_json: JsonOption = False,
    log: LogOption = None,
    config: ConfigOption = None,
) -> int:
    """Export every span of the log; twice is harmless, for the ids are the same. Exit 1 where some did not arrive."""
    loaded = settings(config, log=log)
    where = _receiver(loaded, to)
    begin = 0.0 if since is None else instant_of(since)
    existing_log(loaded)
    collect_rarely()
    sender = sender_to(where)
    try:
        told, arrived = asyncio.run(_rebuild(loaded, sender, ratio, begin))
    finally:
        sender.shutdown()
    shown = shape(told, exported=sender.sent, failed=sender.failed, limit=limit)
    if as_json:
        emit(shown)
    else:
        _show(shown)
    if told.cut:
        remark(f"of {told.cut} attempts the log does not tell any more what they hang on; they hang on the root")
    if told.gone:
        remark(f"{told.gone} offsets of the journal are gone, and what they told is not exported; see `farandole log`")
    if told.unknown:
        remark(f"{told.unknown} facts are not understood; a newer farandole-observe may know them")
    if not arrived:
        remark("the receiver of traces did not take every span; nothing more was sent to it")
    return Code.DONE if arrived else Code.FAULT


def shape(told: Rebuild, *, exported: int, failed: int, limit: int) -> dict[str, Any]:
    """As JSON: what was told and what was lacking; per workflow its trace, spans, and whether it has a root."""
    named = [
        {"workflow": name, "trace": trace_id(name), "spans": one.spans, "ended": one.ended}
        for name, one in list(told.told.items())[:limit]
    ]
    return {
        "spans": sum(one.spans for one in told.told.values()),
        "exported": exported,
        "failed": failed,
        "cut": told.cut,
        "gone": told.gone,
        "unknown": told.unknown,
        "workflows": named,
        "more": len(told.told) - len(named),
    }


async def _rebuild(loaded: Loaded, sender: "Sender", ratio: float, since: float) -> tuple[Rebuild, bool]:
    """What was told, and whether all of it arrived; the first refusal ends it."""
    log = await open_history(loaded)
    told, said = Rebuild(log, ratio, since), time.monotonic()
    try:
        async for spans in told.spans():
            if not await asyncio.to_thread(sender.send, spans):
                return told, False
            if time.monotonic() - said > _SAID:
                said = time.monotonic()
                remark(f"{sender.sent} spans of {len(told.told)} workflows so far")
    finally:
        await log.close()
    return told, True


def _show(shown: dict[str, Any]) -> None:
    found = shown["workflows"]
    if found:
        cells = ((w["workflow"], w["trace"], w["spans"], "yes" if w["ended"] else "no") for w in found)
        rows(("WORKFLOW", "TRACE", "SPANS", "ENDED"), cells)
    if shown["more"]:
        line(f"and {shown['more']} more; --limit shows them")
    line(f"{shown['exported']} spans exported")


def _receiver(loaded: Loaded, to: str | None) -> Destination:
    if to is not None:
        try:
            return destination(to)
        except ConfigError as error:
            raise BadInput(f"--to {str(error).partition(': ')[2]}") from None
    wanted = tracing(loaded.config.traces, loaded.config.trace_ratio)
    if wanted is None:
        raise BadInput("no receiver of traces is set; name one with --to otlp://host:4317, or set traces")
    return wanted.destination
