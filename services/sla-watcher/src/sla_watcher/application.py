"""The Faust application: its topics, tables and agents. What fails in it ends the process, for a restart mends it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from aiokafka.errors import KafkaError

from sla_watcher import breach, journal
from sla_watcher.beat import beat
from sla_watcher.counting import Counting
from sla_watcher.ending import Ending
from sla_watcher.reading import CommittedTransport
from sla_watcher.settings import Settings
from sla_watcher.tables import WatchedTable
from sla_watcher.telling import Telling
from sla_watcher.topics import LEDGER, WINDOWS, Shape, closed_topic

log = logging.getLogger(__name__)

_SESSION = 10.0  # seconds after which the brokers give up a process that died
_LOOK = 1.0  # seconds between two looks at quiet partitions


def make_app(settings: Settings, shape: Shape) -> faust.App:
    """An application that is ready to be run by a worker; `prepare` has made its topics."""
    app = _bare(settings)
    raw = {"key_serializer": "raw", "value_serializer": "raw"}
    facts = app.topic(settings.topic(journal.TOPIC), **raw)
    breached = app.topic(settings.topic(breach.TOPIC), **raw)
    closed = app.topic(closed_topic(settings), value_serializer="json", partitions=1)
    windows = _table(app, WINDOWS, shape.partitions, default=dict).tumbling(settings.window)
    counting = Counting(settings, windows, closed)
    telling = Telling(settings, _table(app, LEDGER, 1), shape.partitions, breached)
    app.agent(facts, name="counting")(_or_crash(app, counting.run))
    app.agent(closed, name="telling")(_or_crash(app, telling.run))
    _look_at_quiet(app, settings, counting, facts.get_topic_name())
    return app


def _bare(settings: Settings) -> faust.App:
    app = faust.App(
        settings.group,
        broker=[f"kafka://{broker}" for broker in settings.brokers],
        store="memory://",
        datadir=str(settings.data),
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=_SESSION,
        broker_heartbeat_interval=_SESSION / 4,
        broker_request_timeout=30.0,
        producer_acks=-1,
        web_enabled=False,
    )
    app.transport = CommittedTransport(app.conf.broker_consumer, app)
    return app


def _table(app: faust.App, name: str, partitions: int, **options: Any) -> Any:
    table = WatchedTable(app, name=name, partitions=partitions, **options)
    return app.tables.add(table)


def _or_crash(app: faust.App, run: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Faust restarts an agent that raised with the record after; ours must not leave one out."""

    async def agent(stream: Any) -> None:
        try:
            await run(stream)
        except Exception as error:
            await app.crash(error)
            raise

    return agent


def _look_at_quiet(app: faust.App, settings: Settings, counting: Counting, topic: str) -> None:
    ending = Ending(settings.brokers, topic)

    async def look() -> None:
        beat(settings.data)
        if app.rebalancing or app.in_recovery:
            return
        ours = {place.partition for place in app.consumer.assignment() if place.topic == topic}
        try:
            await counting.close_quiet(ending, ours)
        except KafkaError as error:
            log.warning("the journal's ends can't be seen, so quiet windows stay open: %r", error)

    async def stop(_app: Any, **_: Any) -> None:
        await ending.stop()

    app.timer(_LOOK)(look)
    app.on_before_shutdown.connect(stop, weak=False)
