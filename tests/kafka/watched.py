"""Services for a watcher: one with a slow step, a shaky one and one that is well, and one that hears of breaches."""

import asyncio
from datetime import datetime

from farandole import Context, Event, Retry, Service


class WorkMeant(Event, type="work.meant", key="key"):
    key: str
    number: int


class WorkSlow(Event, type="work.slow", key="key", final=True):
    key: str


class WorkTried(Event, type="work.tried", key="key", final=True):
    key: str


class WorkDone(Event, type="work.done", key="key", final=True):
    key: str


class SlaBreached(Event, type="sla.breached", key="step"):
    step: str
    window_start: datetime
    count: int
    failures: int
    p95_seconds: float | None
    broken: list[str]


class AlarmRung(Event, type="alarm.rung", key="step", final=True):
    step: str
    why: list[str]


watched = Service("watched", accepts=[WorkMeant])
alarm = Service("alarm", accepts=[SlaBreached])


@watched.step
async def slow(work: WorkMeant) -> WorkSlow:
    await asyncio.sleep(0.3)
    return WorkSlow(key=work.key)


@watched.step(retry=Retry(delay=0.2))
async def shaky(work: WorkMeant, ctx: Context) -> WorkTried:
    if work.number % 2 and ctx.attempt == 1:
        raise RuntimeError("as every other time")
    return WorkTried(key=work.key)


@watched.step
async def well(work: WorkMeant) -> WorkDone:
    return WorkDone(key=work.key)


@alarm.step
async def ring(breach: SlaBreached) -> AlarmRung:
    return AlarmRung(step=breach.step, why=breach.broken)
