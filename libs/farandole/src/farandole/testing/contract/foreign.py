"""Foreign records: the log hands on whatever bytes it was given; what they mean is the reader's business."""

from farandole.log.ports import Interest
from farandole.log.record import NewRecord, TopicSpec
from farandole.testing.contract.checks import same
from farandole.testing.contract.look import records_of
from farandole.testing.contract.member import Member, together
from farandole.testing.contract.rig import Case, Rig

EVERY_BYTE = bytes(range(256))
RECORDS = (
    NewRecord("foreign", None),
    NewRecord("foreign", b""),
    NewRecord("foreign", b"", b""),
    NewRecord("foreign", None, b"key of nothing"),
    NewRecord("foreign", EVERY_BYTE, EVERY_BYTE),
    NewRecord("foreign", b'{"json": tru', b"\xff\xfe"),
    NewRecord("foreign", b"\x00" * 1000, b"\x00"),
    NewRecord("foreign", b"v", b"k", (("ce_type", b"\xff"), ("ce_type", b"twice"), ("ce_type", None))),
    NewRecord("foreign", b"v", b"k", (("", b"without a name"), ("empty", b""), ("none", None))),
    NewRecord("foreign", b"v", b"k", (("naïve – 名前 \n", EVERY_BYTE),)),
    NewRecord("foreign", b"v", b"k", tuple((f"header-{n}", b"%d" % n) for n in range(300))),
)


async def foreign_records_pass_untouched(rig: Rig) -> None:
    """Key, value and headers come out as they went in: any bytes, none, empty, repeated, in their order."""
    log = await rig.open()
    await log.ensure([TopicSpec("foreign")])
    await log.append(RECORDS)
    found = await records_of(log, "foreign")
    same(len(found), len(RECORDS), "records")
    for wanted, record in zip(RECORDS, found, strict=True):
        same((record.key, record.value, record.headers), (wanted.key, wanted.value, wanted.headers), "record")
        same(await log.fetch(*record.place), record, "record fetched")


async def foreign_records_do_not_stop_a_member(rig: Rig) -> None:
    """A member is handed them among others, and may pass them on in a commit as they are."""
    log = await rig.open()
    await log.ensure([TopicSpec("foreign"), TopicSpec("dlq")])
    await log.append([*RECORDS, NewRecord("foreign", b"good")])
    member = await Member.join(log, Interest("group/step", "foreign"))
    await together(rig, [member], lambda: len(member.seen) == len(RECORDS) + 1, "all records")
    await member.commit(lambda record: [NewRecord("dlq", record.value, record.key, record.headers)])
    found = [(r.key, r.value, r.headers) for r in await records_of(log, "dlq")]
    same(found, [(r.key, r.value, r.headers) for r in member.seen], "records passed on")


CASES: tuple[Case, ...] = (foreign_records_pass_untouched, foreign_records_do_not_stop_a_member)
