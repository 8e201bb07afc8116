"""Who the store is and who we are: TLS, certificates, and what is said where nothing is."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from farandole.assets import bucket
from farandole.assets.open import Whereabouts, open_assets
from farandole.events.errors import AssetError, ConfigError
from farandole.log.ports import AssetStore
from farandole.testing.asset_contract.given import CONTENT, URI
from scripts.ports import HOST, unused
from scripts.s3 import S3, NoS3, s3_server
from tests.kafka.tls import Papers, make_papers, openssl
from tests.objects.conftest import without_s3

pytestmark = pytest.mark.slow

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return make_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def behind_tls(papers: Papers) -> Iterator[tuple[S3, str]]:
    """A server, and where it speaks TLS."""
    folder = papers.ca.parent
    openssl(folder, "pkcs12 -export -in server.pem -out server.p12 -passout pass:changeit")
    at = f"https://{HOST}:{unused(1)[0]}"
    more = {
        "s3proxy.secure-endpoint": at,
        "s3proxy.keystore-path": str(folder / "server.p12"),
        "s3proxy.keystore-password": "changeit",
    }
    try:
        with s3_server(origins=("java",), more=more) as found:
            yield found, at
    except NoS3 as error:
        without_s3(error)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try."""
    monkeypatch.setattr(bucket, "RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})


def opened(s3: S3, tmp_path: Path) -> AssetStore:
    return open_assets(Whereabouts(f"s3://{s3.bucket}/tls", str(tmp_path / "copies")))


@pytest.mark.usefixtures("quick")
def test_only_a_certificate_that_is_believed_is_spoken_to(
    behind_tls: tuple[S3, str], papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the CA that is named, and by no other."""
    s3, at = behind_tls
    for name, value in {**s3.environment(), "FARANDOLE_ASSETS_ENDPOINT": at}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "file").write_bytes(CONTENT)
    for ca in ("", str(papers.stranger)):
        monkeypatch.setenv("FARANDOLE_ASSETS_CA", ca)
        with pytest.raises(
            AssetError, match=r"shows a certificate that is not believed; name .* by FARANDOLE_ASSETS_CA"
        ):
            opened(s3, tmp_path).put(tmp_path / "file", "a/b")
    monkeypatch.setenv("FARANDOLE_ASSETS_CA", str(papers.ca))
    assert opened(s3, tmp_path).put(tmp_path / "file", "a/b").uri == URI


@pytest.mark.usefixtures("quick")
def test_http_is_spoken_only_where_we_are_told_to(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's own variable with such an endpoint is not enough."""
    monkeypatch.delenv("FARANDOLE_ASSETS_ENDPOINT")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    with pytest.raises(AssetError, match="is to be reached by http, which FARANDOLE_ASSETS_ENDPOINT does not say"):
        opened(s3, tmp_path).path(URI)


@pytest.mark.usefixtures("quick")
def test_where_there_is_no_login_it_is_said(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither ours, nor the provider's, nor a role of this machine."""
    for name in ("FARANDOLE_ASSETS_KEY", "FARANDOLE_ASSETS_SECRET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", NOBODY)
    with pytest.raises(AssetError, match=r"is asked without a login, .* set FARANDOLE_ASSETS_KEY"):
        opened(s3, tmp_path).path(URI)


def test_what_a_provider_says_is_taken_where_we_say_nothing(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its variables name the key; ours the endpoint."""
    for name in ("FARANDOLE_ASSETS_KEY", "FARANDOLE_ASSETS_SECRET"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret)
    (tmp_path / "file").write_bytes(CONTENT)
    assert opened(s3, tmp_path).put(tmp_path / "file", "a/b").uri == URI


def test_a_bucket_of_azure_without_its_account_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything runs."""
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ConfigError, match="assets: az://container/x cannot be opened: Account must be specified"):
        open_assets(Whereabouts("az://container/x", str(tmp_path / "copies")))
