"""Which partition a record goes to: by key, or by workflow in the journal.

By key: murmur2 as in Apache Kafka's Java client, so that foreign producers keep order. Source:
org.apache.kafka.common.utils.Utils.murmur2 (seed 0x9747b28c), partition = (hash & 0x7fffffff) % n.
"""

from functools import lru_cache
from zlib import crc32

_MASK = 0xFFFFFFFF
_M = 0x5BD1E995


@lru_cache(maxsize=65_536)
def _positive_hash(key: bytes) -> int:
    length = len(key)
    h = 0x9747B28C ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return (h ^ (h >> 15)) & 0x7FFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, 0 ≤ p < partitions."""
    return _positive_hash(key) % partitions if partitions > 1 else 0


def journal_partition(workflow: str, partitions: int) -> int:
    """The journal partition that holds a workflow's facts; nobody else writes there, so any even spread will do."""
    return crc32(workflow.encode()) % partitions if partitions > 1 else 0
