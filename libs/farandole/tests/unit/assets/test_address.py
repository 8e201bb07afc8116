"""What the setting `assets` may name, and what is refused by name without repeating a secret."""

from pathlib import Path

import pytest

from farandole.assets.address import Address, is_url, read_address
from farandole.events.errors import ConfigError

CANARY = "canary-77c2"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("var/assets", Path("var/assets")),
        ("/mnt/assets", Path("/mnt/assets")),
        ("./s3:odd", Path("s3:odd")),
        ("C:assets", Path("C:assets")),
        ("file:///mnt/as%20sets", Path("/mnt/as sets")),
        ("s3://bucket", Address("s3", "bucket", "")),
        ("s3://bucket/", Address("s3", "bucket", "")),
        ("S3://bucket/deep/er", Address("s3", "bucket", "deep/er")),
        ("gs://bucket/x", Address("gs", "bucket", "x")),
        ("az://container/x", Address("az", "container", "x")),
    ],
)
def test_folders_and_buckets_are_told_apart(text: str, address: Path | Address) -> None:
    """A name with a colon is a folder unless it is one of a store."""
    assert read_address(text) == address
    assert is_url(text) == (isinstance(address, Address) or text.startswith("file:"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"s3://me:{CANARY}@bucket/x", "no user or password belongs in the URL.*FARANDOLE_ASSETS_SECRET_FILE"),
        (f"s3://{CANARY}@bucket/x", "no user or password"),
        (f"https://{CANARY}@host/x", "no user or password"),
        ("memory:", "would lose all content with its process; give a folder"),
        ("memory:///", "would lose all content"),
        ("https://host/bucket", "https: holds no assets; give a folder"),
        ("s3a://bucket", "s3a: holds no assets"),
        ("s3://", "names a bucket and a prefix"),
        ("s3:bucket", "names a bucket"),
        ("s3://bucket//x", "not ''"),
        ("s3://bucket/../x", "not '..'"),
        ("s3://bucket/a b", "not 'a b'"),
        ("s3://bucket/%2e%2e", "not '%2e%2e'"),
        (f"s3://bucket/x?secret={CANARY}", "has a query or a fragment.*FARANDOLE_ASSETS_"),
        ("s3://bucket/x#y", "has a query or a fragment"),
        ("file://host/x", "names no host and an absolute path"),
        ("file:relative", "names no host and an absolute path"),
    ],
)
def test_what_can_hold_no_assets_is_refused_with_a_remedy(text: str, said: str) -> None:
    """And without the secret that stands in it."""
    with pytest.raises(ConfigError, match=f"^assets: .*{said}") as caught:
        read_address(text)
    assert CANARY not in str(caught.value)
