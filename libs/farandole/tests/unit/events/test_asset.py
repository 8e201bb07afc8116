"""An asset names content and never a place."""

import pytest
from pydantic import ValidationError

from farandole.events.asset import Asset, asset_uri, is_asset_uri

DIGEST = "0123456789abcdef" * 4


def test_an_asset_names_its_digest() -> None:
    """URI and digest determine each other."""
    asset = Asset(uri=asset_uri(DIGEST), size=0)
    assert asset.sha256 == DIGEST
    assert asset.media_type == "application/octet-stream"
    assert is_asset_uri(asset.uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/etc/passwd",
        "file:///etc/passwd",
        f"asset:sha256/{DIGEST[:-1]}",
        f"asset:sha256/{DIGEST}0",
        f"asset:sha256/{DIGEST.upper()}",
        f"asset:sha256/{DIGEST}\n",
        f"asset:md5/{DIGEST}",
        f" asset:sha256/{DIGEST}",
        f"asset:sha256/../{DIGEST}",
        f"asset:sha256/{DIGEST}\x00",
        f"asset://sha256/{DIGEST}",
    ],
)
def test_nothing_but_a_sha256_is_an_asset(uri: str) -> None:
    """Paths, other schemes, wrong lengths, upper case and hidden characters are refused everywhere."""
    assert not is_asset_uri(uri)
    with pytest.raises(ValidationError, match="uri"):
        Asset(uri=uri, size=1)


def test_a_size_is_a_count_and_fields_are_fixed() -> None:
    """Negative sizes and unknown fields are errors; an asset does not change."""
    with pytest.raises(ValidationError, match="size"):
        Asset(uri=asset_uri(DIGEST), size=-1)
    with pytest.raises(ValidationError, match="path"):
        Asset(uri=asset_uri(DIGEST), size=1, path="/tmp/x")  # type: ignore[call-arg]
    asset = Asset(uri=asset_uri(DIGEST), size=1)
    with pytest.raises(ValidationError):
        asset.size = 2  # type: ignore[misc]  # the point of the test
