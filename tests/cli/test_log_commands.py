"""The commands against a real log, with services at work on it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import Project, environment, until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose services are up."""
    project = Project.make(tmp_path_factory.mktemp("shop"))
    with project.up():
        yield project


def _publish(shop: Project, order: str, *more: str, **fields: Any) -> "subprocess.CompletedProcess[str]":
    data = json.dumps({"order": order, **fields})
    return shop.main("publish", "order.placed", "--data", data, *more)


def _status(shop: Project, *args: str) -> list[dict[str, Any]]:
    done = shop.main("status", *args, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert list(shape) == ["workflows", "more", "age", "gaps"]
    workflows: list[dict[str, Any]] = shape["workflows"]
    return workflows


def test_what_completes_exits_0_and_is_seen_by_every_command(shop: Project) -> None:
    """publish, status, events, topics, ps: one story."""
    done = _publish(
        shop, "a", "--id", "first", "--wait", "--timeout", "30s", "--expect", "order.packed", "--json", items=3
    )
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads(done.stdout)
    assert (shape["id"], shape["source"], shape["topic"], shape["status"]) == (
        "first",
        "client",
        "order.placed",
        "complete",
    )
    assert shape["left"] == []
    again = json.loads(_publish(shop, "a", "--id", "first", "--json", items=3).stdout)
    assert {again[name] == shape[name] for name in again} == {True}
    other = _publish(shop, "a", "--id", "first", items=4)
    assert other.returncode == 2
    assert "was published before with another body" in other.stderr
    (workflow,) = _status(shop, "first")
    assert (workflow["workflow"], workflow["status"]) == (shape["workflow"], "complete")
    assert workflow["steps"]["packing/pack"]["completed"] == 1
    assert workflow["left"] == []
    assert _status(shop, shape["workflow"][:10]) == [workflow]
    events = json.loads(shop.main("events", "first", "--data", "--json").stdout)
    assert events["workflow"] == shape["workflow"]
    assert [event["type"] for event in events["events"]] == [
        "order.placed.v1",
        *["item.picked.v1"] * 3,
        "order.packed.v1",
    ]
    assert events["events"][-1]["data"] == {"order": "a", "items": 3}
    assert events["events"][0]["place"] == {name: shape[name] for name in ("topic", "partition", "offset")}
    text = shop.main("events", "first").stdout
    assert len(text.splitlines()) == 6
    topics = {t["topic"]: t for t in json.loads(shop.main("topics", "--json").stdout)["topics"]}
    assert sum(span["end"] for span in topics["item.picked"]["spans"]) >= 3
    assert topics["order.placed"]["lag"] == {"picking/pick": 0}
    assert topics["farandole.manifests"]["compacted"] is True
    services = json.loads(shop.main("ps", "--json").stdout)["services"]
    assert {(s["target"], s["state"], s["restarts"]) for s in services} == {
        ("shop:picking", "running", 0),
        ("shop:packing", "running", 0),
    }
    until(lambda: _leased(shop) == {"picking/pick": [0, 1, 2, 3], "packing/pack": [0, 1, 2, 3]})


def _leased(shop: Project) -> dict[str, list[int]]:
    """Partitions per step, as `ps` tells; forwarders left out."""
    services = json.loads(shop.main("ps", "--json").stdout)["services"]
    steps = {step: numbers for service in services for step, numbers in service["steps"].items()}
    return {step: numbers for step, numbers in steps.items() if step.count("/") == 1}


def test_what_does_not_come_exits_3(shop: Project) -> None:
    """The workflow is complete, but without what was expected."""
    done = _publish(shop, "b", "--expect", "order.shipped", "--timeout", "30s")
    assert done.returncode == 3
    assert "no event of type 'order.shipped' came of it" in done.stderr


def test_dead_letters_are_shown_redriven_and_discarded(shop: Project) -> None:
    """And a workflow that waits for one exits 3, naming it."""
    for order in ("odd-1", "odd-2"):
        done = _publish(shop, order, "--id", order, "--wait", "--timeout", "30s")
        assert done.returncode == 3
        assert f"NoBox: no box for {order}" in done.stderr
    listed = json.loads(shop.main("dlq", "list", "--json").stdout)["dead_letters"]
    assert [letter["error"] for letter in listed] == ["NoBox: no box for odd-2", "NoBox: no box for odd-1"]
    assert [letter["reason"] for letter in listed] == ["exhausted", "exhausted"]
    later, earlier = (letter["delivery"] for letter in listed)
    shown = shop.main("dlq", "show", later)
    assert shown.returncode == 0
    assert "packing/pack" in shown.stdout
    (shop.folder / "box-odd-1").touch()
    redriven = shop.main("dlq", "redrive", earlier[:10], "--json")
    assert (redriven.returncode, redriven.stderr) == (0, "")
    assert [asked["delivery"] for asked in json.loads(redriven.stdout)["asked"]] == [earlier]
    discarded = shop.main("dlq", "discard", later, "--reason", "no such box")
    assert discarded.returncode == 0
    until(lambda: _status(shop, "odd-1")[0]["status"] == "complete" == _status(shop, "odd-2")[0]["status"])
    assert json.loads(shop.main("dlq", "list", "--json").stdout) == {"dead_letters": []}
    assert _status(shop, "odd-2")[0]["steps"]["packing/pack"]["discarded"] == 1


def test_a_timeout_exits_5_and_ctrl_c_130_and_both_end_the_waiting_only(shop: Project) -> None:
    """Each says how to look again; the workflow completes."""
    late = _publish(shop, "slow", "--id", "slow-1", "--timeout", "100ms", seconds=2.0)
    assert late.returncode == 5
    assert "farandole status" in late.stderr
    data = json.dumps({"order": "slow-2", "seconds": 2.0})
    process = shop.start("publish", "order.placed", "--data", data, "--id", "slow-2", "--wait")
    shop.await_text("publish.out", "published")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert "the workflow goes on: farandole status" in (shop.folder / "publish.err").read_text()
    assert "Traceback" not in (shop.folder / "publish.err").read_text()
    until(lambda: all(_status(shop, order)[0]["status"] == "complete" for order in ("slow-1", "slow-2")))


def test_status_lists_the_newest_first(shop: Project) -> None:
    """In exactly one shape; a limit is kept to."""
    for number in range(2):
        assert _publish(shop, f"n{number}", "--id", f"n{number}", "--wait").returncode == 0
    found = _status(shop)
    assert [workflow["inputs"][0]["id"] for workflow in found[:2]] == ["n1", "n0"]
    started = [workflow["started"] for workflow in found]
    assert started == sorted(started, reverse=True)
    assert _status(shop, "--limit", "1") == found[:1]


def test_data_comes_from_a_file_or_from_stdin(shop: Project) -> None:
    """Or stands in the command line."""
    (shop.folder / "order.json").write_text('{"order": "from-file"}')
    assert shop.main("publish", "order.placed", "--data", "@order.json").returncode == 0
    assert shop.farandole("publish", "order.placed", "--data", "-", given=b'{"order": "from-stdin"}').returncode == 0
    empty = shop.farandole("publish", "order.placed", "--data", "-", given=b"")
    assert (empty.returncode, empty.stdout) == (2, "")


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (["publish", "order.placed", "--data", "@missing.json"], 2, "--data: missing.json cannot be read"),
        (["publish", "order.placed", "--data", "@."], 2, "--data: . cannot be read: Is a directory"),
        (["publish", "order.placed", "--data", "@pipe"], 2, "--data: pipe is a folder, pipe or device"),
        (["publish", "order.placed", "--data", "@/dev/zero"], 2, "--data: /dev/zero is a folder, pipe or device"),
        (["publish", "order.placed", "--data", "{"], 2, "not JSON"),
        (["publish", "order.place", "--data", "{}"], 2, "did you mean 'order.placed'"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--id", "a\nb"], 2, "id 'a\\nb'"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--id", "\x1b[2J"], 2, "id '\\x1b[2J'"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--id", "../../x"], 2, "id '../../x'"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--id", "x" * 10240], 2, "10240 characters"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--timeout", "-3s"], 2, "--timeout"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--timeout", "nan"], 2, "--timeout"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--timeout", "2026-13-45"], 2, "--timeout"),
        (["publish", "order.placed", "--data", '{"order": "a"}', "--expect", "../x"], 2, "--expect"),
        (["status", "../../x"], 2, "workflow '../../x'"),
        (["status", "f" * 32], 4, "no workflow"),
        (["events", "f" * 32], 4, "no workflow"),
        (["dlq", "redrive", "f" * 32], 4, "no dead letter"),
        (["dlq", "show", "f" * 32], 4, "no dead letter"),
        (["dlq", "discard"], 2, "--all"),
        (["status", "--log", "sqlite:///elsewhere.db"], 4, "no log at"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(shop: Project, args: list[str], code: int, why: str) -> None:
    """No traceback, nothing on stdout, the exit code of the table."""
    if not (shop.folder / "pipe").exists():
        os.mkfifo(shop.folder / "pipe")
    done = shop.main(*args)
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr


def test_an_argument_that_is_no_utf8_is_refused(shop: Project) -> None:
    """As bytes of the command line."""
    done = shop.farandole("status", b"caf\xe9")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "farandole: argument caf\\udce9 is not UTF-8\n"


@pytest.mark.parametrize("how", ["| true", "| head -c 1 >/dev/null", ">&-"])
def test_a_reader_that_has_gone_leaves_the_command_quiet(shop: Project, how: str) -> None:
    """Whether stdout was closed before or meanwhile."""
    command = f"set -o pipefail; '{sys.executable}' -m farandole topics {how}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=shop.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 141)
    assert (done.stdout, done.stderr) == ("", "")


def test_the_log_is_backed_up_and_checked_while_it_is_used(shop: Project, tmp_path: Path) -> None:
    """The copy is a log of its own, and sound; what is damaged is told with exit 1."""
    assert _publish(shop, "o-kept").returncode == 0
    copy = tmp_path / "copy.db"
    done = shop.main("log", "backup", str(copy), "--json")
    assert (done.returncode, json.loads(done.stdout)["bytes"]) == (0, copy.stat().st_size)
    assert shop.main("log", "backup", str(copy)).returncode == 2
    assert json.loads(shop.main("log", "check", "--json").stdout)["sound"] is True
    url = f"sqlite:///{copy}"
    assert shop.main("log", "check", "--log", url).returncode == 0
    assert [w["workflow"] for w in _status(shop, "--log", url)]
    torn = tmp_path / "torn.db"
    torn.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    done = shop.main("log", "check", "--log", f"sqlite:///{torn}")
    assert done.returncode == 1
    assert "damaged" in done.stdout
