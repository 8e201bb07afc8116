"""What a doctor says of topics: every way to lose records is a failure, and what is well is one line."""

from dataclasses import replace

import pytest

from farandole.engines.kafka.topic_health import Topic, partition_findings, topic_findings

SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
}
EVENTS = Topic("a.b", "domain", 4, 3, 3, (), SETTINGS)
JOURNAL = replace(EVENTS, name="farandole.journal", kind="kept")
STATE = replace(EVENTS, name="s.t.state", kind="compacted", settings=SETTINGS | {"cleanup.policy": "compact"})


def test_where_all_is_well_one_line_says_so() -> None:
    """A compacted topic's retention does not matter."""
    state = replace(STATE, settings={**STATE.settings, "retention.ms": "604800000"})
    (finding,) = topic_findings([EVENTS, JOURNAL, state])
    assert (finding.check, finding.verdict) == ("topics", "ok")


@pytest.mark.parametrize(
    ("topic", "setting", "value", "verdict"),
    [
        (STATE, "cleanup.policy", "delete", "fail"),
        (STATE, "cleanup.policy", "compact,delete", "fail"),
        (EVENTS, "cleanup.policy", "compact", "fail"),
        (EVENTS, "retention.ms", "604800000", "warn"),
        (EVENTS, "retention.bytes", "1000000", "warn"),
        (JOURNAL, "retention.ms", "604800000", "fail"),
        (JOURNAL, "retention.bytes", "1000000", "fail"),
        (EVENTS, "message.timestamp.type", "CreateTime", "warn"),
        (EVENTS, "unclean.leader.election.enable", "true", "fail"),
        (EVENTS, "min.insync.replicas", "1", "warn"),
        (EVENTS, "min.insync.replicas", "3", "warn"),
    ],
)
def test_a_setting_that_could_lose_something_is_named(topic: Topic, setting: str, value: str, verdict: str) -> None:
    """With the topic, and what to do."""
    (finding,) = topic_findings([EVENTS, replace(topic, settings={**topic.settings, setting: value})])
    assert finding.verdict == verdict
    assert setting.partition(".")[0] in finding.check
    assert repr(topic.name) in finding.said
    assert finding.remedy


@pytest.mark.parametrize(
    ("topic", "verdict", "said"),
    [
        (replace(EVENTS, in_sync=1), "fail", "takes no records"),
        (replace(EVENTS, in_sync=2), "warn", "2 of 3"),
        (replace(EVENTS, leaderless=(1,)), "fail", "no leader"),
        (replace(EVENTS, copies=1, in_sync=1, settings=SETTINGS | {"min.insync.replicas": "1"}), "warn", "one copy"),
    ],
)
def test_copies_that_are_missing_are_named(topic: Topic, verdict: str, said: str) -> None:
    """A topic that takes no records fails, one that still does is warned of."""
    (finding,) = topic_findings([topic])
    assert (finding.check, finding.verdict) == ("copies", verdict)
    assert said in finding.said


def test_topics_that_are_leased_together_have_as_many_partitions() -> None:
    """Else the group cannot work at all."""
    assert [f.verdict for f in partition_findings({"s/t": [EVENTS, STATE]})] == ["ok"]
    (finding,) = partition_findings({"s/t": [EVENTS, replace(STATE, partitions=2)], "s/u": [EVENTS]})
    assert (finding.verdict, finding.said) == ("fail", "s/t: a.b 4, s.t.state 2")
