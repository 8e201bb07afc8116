"""What is left of a workflow, in words."""

from farandole.cli.say import moment
from farandole.fold import Left


def told(entry: Left) -> str:
    """One thing that is left, as a sentence."""
    what = f"{entry.type} {entry.id}" if entry.id else f"group {entry.group}"
    since = f" since {moment(entry.since)}" if entry.since else ""
    if entry.kind == "owed":
        gone = "" if entry.moves else " (which no service has any more)"
        return f"{entry.step}{gone} owes an outcome for {what}{since}"
    if entry.kind == "retrying":
        return f"{entry.step} tries {what} again at {moment(entry.due)} (attempt {entry.attempt + 1}): {entry.error}"
    if entry.kind == "dead":
        return f"{entry.step} set {what} aside ({entry.reason}){since}: {entry.error}; dead letter {entry.delivery}"
    if entry.kind == "parked":
        return f"{entry.step} holds {what} behind dead letter {entry.behind}"
    if entry.kind == "group":
        return f"{entry.step} waits for {entry.missing} of group {entry.group}{since}: {_members(entry)}"
    if entry.kind == "unconsumed":
        return f"no step takes {what} of {entry.step}"
    return f"{entry.missing} members of group {entry.group} of {entry.step} are not told of yet"


def _members(entry: Left) -> str:
    parts = []
    for member in entry.members:
        name = member.param if member.index is None else f"{member.param}[{member.index}]"
        ends = ", ".join(f"{e.kind} at {e.step or e.type}" for e in member.ends) or "not seen"
        parts.append(f"{name} {ends}")
    more = entry.missing - len(entry.members)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")
