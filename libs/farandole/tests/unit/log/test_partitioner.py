"""The partitioner agrees with Kafka's Java client, so that foreign producers keep order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farandole.log.partitioner import partition_of

# Key and signed 32-bit murmur2, from Apache Kafka's own test (UtilsTest.testMurmur2).
KAFKA = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "murmur2"), KAFKA)
@pytest.mark.parametrize("partitions", [1, 2, 3, 12, 1000])
def test_a_key_goes_where_kafka_puts_it(key: bytes, murmur2: int, partitions: int) -> None:
    """As DefaultPartitioner: toPositive(murmur2(key)) % partitions."""
    assert partition_of(key, partitions) == (murmur2 & 0x7FFFFFFF) % partitions


@given(st.binary(max_size=40), st.integers(1, 64))
def test_every_key_has_one_partition(key: bytes, partitions: int) -> None:
    """Within range, and the same every time."""
    number = partition_of(key, partitions)
    assert 0 <= number < partitions
    assert partition_of(bytes(bytearray(key)), partitions) == number


def test_keys_are_spread_evenly() -> None:
    """A thousand keys on ten partitions: none is left out, none has twice its part."""
    counts = [0] * 10
    for n in range(1000):
        counts[partition_of(b"key-%d" % n, 10)] += 1
    assert min(counts) > 50
    assert max(counts) < 200
