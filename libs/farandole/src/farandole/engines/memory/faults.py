"""Where faults enter, and what the death of a handle looks like from within; no fault is thrown here."""

from typing import Literal, Protocol

Stage = Literal["before", "inside", "after"]
"""before: nothing happened yet; inside: under way, nothing visible yet; after: done, the reply still out."""


class HandleKilled(BaseException):
    """The process that uses this handle is dead: none of its calls returns, and none touches the log again.

    No Exception, because code that survives errors must not survive this one: a dead process runs no handler.
    """


class Faults(Protocol):
    """Called at every stage of every operation of every handle."""

    async def point(self, handle: str, operation: str, stage: Stage) -> None:
        """Take time, raise LogUnavailable, or kill, pause, resume or expire any handle through the cluster.

        Raised before or inside: the operation has no effect. Raised after: it has; only its reply is lost.
        A handle that is killed inside a write may have written: chance decides. Operations are named as the
        methods of the ports (append, poll, restore, commit, release, …), `read` for the poll of a reader;
        polls move nothing but what their caller is handed, so one that fails after has no effect either.
        """
        ...
