"""`farandole topics`: what the log holds, and how far the steps have read; what is declared: `apply`, `rights`."""

from collections.abc import Iterable

import typer

from farandole.cli.options import ConfigOption, JsonOption, LogOption, settings, with_client
from farandole.cli.say import emit, line, rows
from farandole.cli.topics_apply import apply
from farandole.cli.topics_rights import show
from farandole.client import AsyncClient
from farandole.events.errors import BadInput
from farandole.log.manifests import read_manifests
from farandole.log.ports import Log
from farandole.log.record import Span, TopicPartition, TopicSpec

Lags = dict[str, dict[str, int]]
"""Per topic, per group, how many offsets are not committed yet."""


def add(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(topics)
    group.command("apply")(apply)
    group.command("rights")(show)
    app.add_typer(group, name="topics")


def topics(
    context: typer.Context, as_json: JsonOption = False, log: LogOption = None, config: ConfigOption = None
) -> None:
    """List the topics: partitions, records, and the lag of each group that reads them."""
    if context.invoked_subcommand is not None:
        if as_json or log is not None or config is not None:
            raise BadInput(f"write the options after `farandole topics {context.invoked_subcommand}`")
        return

    async def read(
        client: AsyncClient,
    ) -> tuple[list[TopicSpec], dict[TopicPartition, Span], Lags]:
        specs = await client.log.topics()
        spans = await client.log.spans([spec.name for spec in specs])
        return specs, spans, await _lags(client.log, spans)

    specs, spans, lags = with_client(settings(config, log=log), read)
    if as_json:
        emit({"topics": [_shape(spec, spans, lags) for spec in specs]})
    elif specs:
        header = ("TOPIC", "PARTITIONS", "KEPT", "RECORDS", "LAG")
        rows(header, (_row(spec, spans, lags) for spec in specs))
    else:
        line("no topics yet; a service makes those that it needs")


async def _lags(log: Log, spans: dict[TopicPartition, Span]) -> Lags:
    leases = await log.leases()
    steps = {f"{m.service}/{step.name}" for m in await read_manifests(log) for step in m.steps}
    lags: Lags = {}
    for group in sorted({*steps, *leases}):
        committed = await log.committed(group)
        held = {(lease.topic, lease.partition): 0 for lease, _ in leases.get(group, [])}
        for place, position in (held | committed).items():
            if place in spans:
                of_topic = lags.setdefault(place[0], {})
                of_topic[group] = of_topic.get(group, 0) + spans[place].end - max(position, spans[place].start)
    return lags


def _shape(spec: TopicSpec, spans: dict[TopicPartition, Span], lags: Lags) -> dict[str, object]:
    """topic, partitions, compacted, spans (partition, start, end: offsets), lag by group in offsets."""
    own = [(number, spans[spec.name, number]) for number in range(spec.partitions) if (spec.name, number) in spans]
    return {
        "topic": spec.name,
        "partitions": spec.partitions,
        "compacted": spec.compacted,
        "spans": [{"partition": number, "start": span.start, "end": span.end} for number, span in own],
        "lag": lags.get(spec.name, {}),
    }


def _row(spec: TopicSpec, spans: dict[TopicPartition, Span], lags: Lags) -> tuple[object, ...]:
    total = sum(span.end - span.start for (name, _), span in spans.items() if name == spec.name)
    kept = "latest per key" if spec.compacted else "all"
    return spec.name, spec.partitions, kept, "" if spec.compacted else total, _told(lags.get(spec.name, {}).items())


def _told(lags: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{group} {lag}" for group, lag in lags if lag)
