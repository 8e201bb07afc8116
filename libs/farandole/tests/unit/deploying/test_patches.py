"""Patches: applied to the base they give the overlay, whatever differs; equal ones stand once."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from farandole.deploying.naming import document
from farandole.deploying.patches import Operation, differences, patches

NAMES = some.sampled_from(["a", "b", "name", "x/y", "~"])
VALUES = some.recursive(
    some.integers(0, 3) | some.booleans() | some.text("ab/~", max_size=2),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = some.dictionaries(NAMES, VALUES, max_size=4)


def applied(found: dict[str, Any], operations: list[Operation]) -> dict[str, Any]:
    """As RFC 6902 says."""
    found = copy.deepcopy(found)
    for one in operations:
        *way, last = (part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:])
        at: Any = found
        for part in way:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            _in_list(at, last, one)
        else:
            assert (last in at) == (one["op"] != "add")
            at.pop(last) if one["op"] == "remove" else at.update({last: one["value"]})
    return found


def _in_list(at: list[Any], last: str, one: Operation) -> None:
    if one["op"] == "add":
        assert last == "-"
        at.append(one["value"])
    elif one["op"] == "remove":
        at.pop(int(last))
    else:
        at[int(last)] = one["value"]


@given(DOCUMENTS, DOCUMENTS)
def test_the_differences_turn_the_one_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    """By an application that knows nothing of how they were found."""
    assert applied(before, list(differences(before, after))) == after
    assert list(differences(before, before)) == []


def test_a_boolean_is_no_number() -> None:
    """To Python they are equal; to Kubernetes they are not."""
    assert list(differences({"a": 1}, {"a": True})) == [{"op": "replace", "path": "/a", "value": True}]


def test_equal_changes_stand_once_and_say_whom_they_are_for() -> None:
    """All of a kind by the kind alone, else by their names, whole; what is gone is deleted, what is new left out."""
    base = [document("v1", kind, name, data={"a": "1"}) for kind in ("X", "Y") for name in ("a.b", "c-d", "e")]
    base.append(document("v2", "Z", "z"))
    changed = [made | {"data": {"a": "2"}} for made in base if made["metadata"]["name"] != "e" and made["kind"] == "X"]
    all_changed = [made | {"data": {"a": "2"}} for made in base if made["kind"] == "Y"]
    same = [made for made in base if made["kind"] == "X" and made["metadata"]["name"] == "e"]
    found = patches(base, [*changed, *all_changed, *same, document("v1", "New", "n")])
    assert [one["target"] for one in found] == [{"kind": "Z"}, {"kind": "X", "name": r"a\.b|c-d"}, {"kind": "Y"}]
    assert found[0]["patch"]["$patch"] == "delete"
    assert found[0]["patch"]["apiVersion"] == "v2"
    assert found[1]["patch"] == found[2]["patch"] == [{"op": "replace", "path": "/data/a", "value": "2"}]
    assert patches(base, base) == []
