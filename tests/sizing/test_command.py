"""`python -m scripts.scale` answers what a rate needs."""

import json

import pytest

from scripts.scale.__main__ import main


def test_it_answers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Layout, load, and at which rate each resource is full."""
    assert main(["--rate", "100000", "--hops", "3", "--size", "1000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["layout"]["processes"] > 1
    assert told["load"]["facts"] == 300_000
    assert min(told["limits"].values()) >= 100_000


def test_a_table_names_what_gives_way_first(capsys: pytest.CaptureFixture[str]) -> None:
    """For people."""
    assert main(["--rate", "10"]) == 0
    assert "gives way first" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--hops", "0"], ["--full", "2"], ["--hottest", "-1"]])
def test_no_such_dance_is_said(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and what is wrong."""
    assert main(wrong) == 2
    assert capsys.readouterr().err
