"""The sign of life of one handle, and its judgement of the others'; run by the writer within its transactions.

A handle's beat stands in the log itself, so it is judged in the transaction that takes its leases; what fences
is the epoch, a beat only decides when. A process whose event loop is blocked keeps its leases for `grace`
seconds, because long Python code is no reason to hand its work to another.
"""

from farandole.engines.sqlite import groups, registry
from farandole.engines.sqlite.clock import lease_now
from farandole.engines.sqlite.housekeeping import TIDY_EVERY, tidy
from farandole.engines.sqlite.registry import Host
from farandole.engines.sqlite.requests import Txn
from farandole.engines.sqlite.watch import Noted

_LATE = 0.02  # seconds after a lease ran out at which one looks


class Pulse:
    """Beats every third of a lease. `progress` and `gone` are the event loop's, all else the writer's thread's."""

    def __init__(self, host: Host, noted: Noted, *, grace: float) -> None:
        self.progress = lease_now()
        """When the event loop last did something."""
        self._host = host
        self._noted = noted
        self._grace = grace
        self._every = host.lease / 3
        self._handle: int | None = None
        self._durable: int | None = None
        self._last = self._next = self._tidied = lease_now()

    @property
    def handle(self) -> int | None:
        """This handle's number, while it is known to the others."""
        return self._handle

    def enroll(self, txn: Txn) -> int:
        """This handle's number; makes it known where it is not. Also takes from the dead what they hold."""
        if self._handle is None:
            self._handle = registry.register(txn.db, self._host)
            txn.effects.registry = True
            self._last = lease_now()
            self._judge(txn)
        return self._handle

    def withdraw(self, txn: Txn) -> None:
        """Be known no more."""
        if self._handle is not None:
            groups.expel(txn, [self._handle])
            self._handle = None

    def wait(self) -> float | None:
        """Seconds until something is due; None: nothing ever."""
        return None if self._handle is None else max(0.0, self._next - lease_now())

    def is_due(self) -> bool:
        """Whether to call `beat` in the next transaction."""
        return self._handle is not None and lease_now() >= self._next

    def committed(self) -> None:
        """The transaction is durable."""
        self._durable = self._handle

    def failed(self) -> None:
        """The transaction was not written: nothing is as it said, and what is due has to wait."""
        self._handle = self._durable
        self._next = max(self._next, lease_now() + self._every)

    def beat(self, txn: Txn, waited: float) -> bool:
        """Show life and look after the others; whether this handle was taken for dead meanwhile.

        `waited`: for how long the transaction had to wait. Who was held up himself (a disk, a stopped holder of
        the lock, a suspended machine) does not judge others: they were held up by the same thing.
        """
        now = lease_now()
        self._next = now + self._every
        if self._handle is None or now - self.progress > self._grace:
            return False
        if not registry.show_life(txn.db, self._handle):
            self._handle = None
            return True
        held_up = waited > self._every or now - self._last > 2 * self._every
        self._last = now
        if not held_up:
            self._judge(txn)
        if now - self._tidied > TIDY_EVERY:
            self._tidied = now
            tidy(txn)
        return False

    def _judge(self, txn: Txn) -> None:
        dead, due = registry.find_dead(txn.db, self._handle, self._host.process.space, self._host.boot)
        if dead:
            groups.expel(txn, dead)
            self._noted("leases of a silent process were taken", handles=dead)
        self._next = min(lease_now() + self._every, due + _LATE)
