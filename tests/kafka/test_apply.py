"""`farandole topics apply` on a real Kafka: it makes what is declared, mends what loses nothing, and says the rest."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import NewTopic

from scripts.kafka import Cluster
from tests.cli.project import Project
from tests.kafka.wire import admin, topic_settings

pytestmark = pytest.mark.slow


def _run(folder: Path, url: str, words: Sequence[str]) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "farandole", "topics", *words, "--json", "--log", url]
    done = subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=90, check=False
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_declared_topics_are_made_and_settings_mended_and_nothing_is_shrunk(kafka: Cluster, tmp_path: Path) -> None:
    """One topic was there with a short retention and producers' time, a state with the wrong number of partitions."""
    Project.make(tmp_path)
    space = f"a{uuid.uuid4().hex[:6]}"
    url = f"kafka://{kafka.bootstrap}/{space}"
    asking = admin(kafka.bootstrap)
    there = [
        NewTopic(f"{space}.order.placed", 3, 1, config={"retention.ms": "86400000"}),
        NewTopic(f"{space}.picking.pick.state", 2, 1, config={"cleanup.policy": "compact"}),
    ]
    for answer in asking.create_topics(there).values():
        answer.result(30)
    how = ["apply", "--replication", "1", "--retention", "2d"]

    code, shape, said = _run(tmp_path, url, how)
    assert (code, shape["applied"], said) == (1, False, "")
    found = {(c["topic"], c["setting"]): (c["action"], c["there"], c["wanted"]) for c in shape["changes"]}
    assert found["order.placed", "retention.ms"] == ("set", "86400000", "172800000")
    assert found["order.placed", "message.timestamp.type"] == ("set", "CreateTime", "LogAppendTime")
    assert found["picking.pick.state", "partitions"] == ("by-hand", "2", "3")
    assert found["item.picked", ""] == ("create", "", "4 partitions, retention.ms 172800000, replication 1")

    assert _run(tmp_path, url, [*how, "--yes"])[1]["applied"] is True
    settings = topic_settings(kafka.bootstrap, f"{space}.order.placed")
    assert (settings["retention.ms"], settings["message.timestamp.type"]) == ("172800000", "LogAppendTime")
    assert topic_settings(kafka.bootstrap, f"{space}.farandole.journal")["retention.ms"] == "-1"
    assert topic_settings(kafka.bootstrap, f"{space}.packing.pack.state")["cleanup.policy"] == "compact"
    left = _run(tmp_path, url, [*how, "--yes"])
    assert (left[0], left[1]["applied"]) == (1, False)
    assert [(change["topic"], change["action"]) for change in left[1]["changes"]] == [("picking.pick.state", "by-hand")]

    shorter = _run(tmp_path, url, ["apply", "--retention", "1d", "--yes"])[1]["changes"]
    assert {(c["setting"], c["action"]) for c in shorter if c["topic"] == "order.placed"} == {
        ("retention.ms", "by-hand")
    }
    assert topic_settings(kafka.bootstrap, f"{space}.order.placed")["retention.ms"] == "172800000"
    counts = {topic["topic"]: topic["partitions"] for topic in _run(tmp_path, url, [])[1]["topics"]}
    assert (counts["order.placed"], counts["picking.pick.inbox"], counts["picking.pick.state"]) == (3, 3, 2)


def test_a_replication_that_the_cluster_does_not_have_is_bad_input(kafka: Cluster, tmp_path: Path) -> None:
    """As the brokers say it; nothing is made."""
    Project.make(tmp_path)
    url = f"kafka://{kafka.bootstrap}/a{uuid.uuid4().hex[:6]}"
    code, _, said = _run(tmp_path, url, ["apply", "--replication", "50", "--yes"])
    assert (code, said.count("\n")) == (2, 1)
    assert "eplication factor" in said
    assert _run(tmp_path, url, [])[1] == {"topics": []}
