"""Forgetting what need not be kept: identities and deletions that are old; within a transaction of the caller."""

from farandole.engines.sqlite.identities import forget
from farandole.engines.sqlite.requests import Txn

TIDY_EVERY = 600.0
"""Seconds between two tidyings by one handle."""
DELETIONS_KEPT = 24 * 3600
"""Seconds for which a reader that follows a compacted topic can still learn of a deletion."""
_AT_ONCE = 5_000  # so that no commit waits long
_SECOND = 1_000_000


def tidy(txn: Txn) -> None:
    """Forget some of what is old enough."""
    forget(txn.db, txn.now)
    txn.db.execute(
        "DELETE FROM latest WHERE id IN (SELECT id FROM latest WHERE value IS NULL AND time < ? LIMIT ?)",
        (txn.now - DELETIONS_KEPT * _SECOND, _AT_ONCE),
    )
