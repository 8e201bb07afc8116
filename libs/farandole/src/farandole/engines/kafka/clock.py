"""Wall time; the brokers stamp records with theirs."""

import time


class SystemClock:
    """The machine's wall clock."""

    now = staticmethod(time.time)
    """Seconds since the epoch, UTC."""
