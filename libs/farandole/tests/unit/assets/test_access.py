"""Who we are to a store: by the environment, by reference, and never in vain."""

from pathlib import Path

import pytest

from farandole.assets.access import PREFIX, Access, read_access, secrets_given
from farandole.assets.address import Address
from farandole.events.errors import ConfigError

BUCKET = Address("s3", "bucket", "")
CANARY = "canary-13d9"
PEM = b"""-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUCBnPJKh1Ibnn+ajd/2QbOJDqZsMwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMjAxMTI0OTQ2WhgPMjEyNjExMDcxMjQ5NDZa
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElSzpp246
0FkTm3P3pJhRUnTum5HPF1A+jkC5TQAKI/CEcdOyEZrbMr6zLNCdZRiEsRHcwm4W
L2lvWCLn+wjb8qNTMFEwHQYDVR0OBBYEFH0iirDGlh/Yxl6YbDWRUkodDHmCMB8G
A1UdIwQYMBaAFH0iirDGlh/Yxl6YbDWRUkodDHmCMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIhAMVCENDrowMibdwcdOsDwJ7yA9g4wNtmcSbzNqQ+
KTvbAiASkDygXDkwPpjNbN9kEB4DfyziT3zQzraNhGA5DbYm/g==
-----END CERTIFICATE-----
"""  # of nobody: its key was thrown away


def named(**values: str) -> dict[str, str]:
    return {f"{PREFIX}{name}": text for name, text in values.items()}


def test_where_nothing_is_said_the_provider_is_asked() -> None:
    """Nor do empty variables say anything."""
    assert read_access(BUCKET, named(KEY="", SECRET="", CA="")) == Access()
    assert read_access(Address("gs", "b", ""), {"GOOGLE_APPLICATION_CREDENTIALS": "x"}) == Access()
    assert read_access(Path("folder"), {"AWS_ACCESS_KEY_ID": "x"}) == Access()


def test_key_and_secret_come_from_variables_or_files(tmp_path: Path) -> None:
    """Less the end of the file's last line."""
    (tmp_path / "key").write_text("k\n")
    (tmp_path / "secret").write_text(f"{CANARY}\r\n")
    (tmp_path / "ca").write_bytes(PEM)
    found = read_access(
        BUCKET,
        named(
            ENDPOINT="https://host:9000/",
            REGION="eu",
            KEY_FILE=str(tmp_path / "key"),
            SECRET_FILE=str(tmp_path / "secret"),
            CA=str(tmp_path / "ca"),
        ),
    )
    assert (found.endpoint, found.region, found.ca) == ("https://host:9000", "eu", PEM)
    assert (found.key.get_secret_value(), found.secret.get_secret_value()) == ("k", CANARY)
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (named(KYE="k"), "FARANDOLE_ASSETS_KYE is no setting"),
        (named(KEY="k"), "KEY and FARANDOLE_ASSETS_SECRET .* go together"),
        (named(SECRET=CANARY), "go together"),
        (named(KEY="k", SECRET=CANARY, SECRET_FILE="f"), "SECRET and FARANDOLE_ASSETS_SECRET_FILE are both set"),
        (named(KEY="k", SECRET_FILE="/none/at/all"), "FARANDOLE_ASSETS_SECRET_FILE: /none/at/all cannot be read"),
        (named(CA="/dev/null"), "FARANDOLE_ASSETS_CA: .*regular file"),
        (named(CA=__file__), "FARANDOLE_ASSETS_CA: .* holds no certificate in PEM"),
        (named(CA="/none/at/all"), "FARANDOLE_ASSETS_CA: /none/at/all cannot be read"),
        (named(ENDPOINT="host:9000"), "is no https:// URL; write https://host:port, or http://"),
        (named(ENDPOINT="ftp://host"), "is no https:// URL"),
        (named(ENDPOINT=f"https://me:{CANARY}@host"), "a login goes into FARANDOLE_ASSETS_KEY"),
        (named(ENDPOINT=f"https://host/?secret={CANARY}"), "holds more than a host"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_shown(values: dict[str, str], said: str) -> None:
    """Each with what to do."""
    with pytest.raises(ConfigError, match=said) as caught:
        read_access(BUCKET, values)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (Path("/mnt/assets"), "is set, but assets lie in the folder /mnt/assets; name a bucket, or unset it"),
        (Address("gs", "b", ""), "is set, but is for s3: alone; unset it, and set GOOGLE_\\* for gs:"),
        (Address("az", "a", "c"), ".*set AZURE_\\* for az:"),
    ],
)
def test_what_would_be_said_in_vain_is_refused(address: Address | Path, said: str) -> None:
    """For content would go elsewhere than somebody thinks."""
    with pytest.raises(ConfigError, match=f"^FARANDOLE_ASSETS_REGION {said}"):
        read_access(address, named(REGION="eu"))


def test_all_secrets_are_known_that_are_not_to_be_repeated(tmp_path: Path) -> None:
    """Ours and those of providers; the name of a key is none."""
    (tmp_path / "secret").write_text(CANARY)
    given = {**named(KEY="key-name", SECRET_FILE=str(tmp_path / "secret")), "AWS_SECRET_ACCESS_KEY": "theirs"}
    assert {one.get_secret_value() for one in secrets_given(given)} == {CANARY, "theirs"}
