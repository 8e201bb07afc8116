"""Where an S3 server is looked for, and what is said where there is none."""

import os
from pathlib import Path

import pytest

from scripts.s3 import GIVEN, S3, NoS3, S3Failed, s3_server
from tests.objects.conftest import REQUIRE, without_s3


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server is named, and there is no program at all."""
    for name in (GIVEN, "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("nothing")
def test_where_there_is_none_the_error_says_what_to_install() -> None:
    """And how to name one."""
    said = r"no java[^\0]*apt-get install default-jre-headless maven[^\0]*FARANDOLE_TEST_S3="
    with pytest.raises(NoS3, match=said), s3_server():
        pass


@pytest.mark.parametrize("name", ["CI", REQUIRE])
def test_without_one_tests_skip_aloud_but_fail_where_it_is_required(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that must not be partial does not pass by skipping."""
    for each in ("CI", REQUIRE):
        monkeypatch.delenv(each, raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"NOT TESTED[^\0]*install Java"):
        without_s3(NoS3("install Java"))
    monkeypatch.setenv(name, "1")
    with pytest.raises(pytest.fail.Exception, match="install Java"):
        without_s3(NoS3("install Java"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/bucket", "http://127.0.0.1:9", "host/bucket"])
def test_one_that_is_named_and_does_not_answer_is_not_replaced_by_another(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names one wants that one tested."""
    monkeypatch.setenv(GIVEN, url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(S3Failed, match=f"{GIVEN} is set, but"), s3_server():
        pass


@pytest.mark.slow
def test_one_that_is_named_is_used_as_it_is(shared: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the login that is given for it; it is not ours to stop."""
    monkeypatch.setenv(GIVEN, f"{shared.endpoint}/{shared.bucket}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", shared.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", shared.secret)
    with s3_server() as found:
        assert found == S3(shared.endpoint, shared.bucket, shared.key, shared.secret, None)


@pytest.mark.slow
def test_nothing_is_left_of_one_that_was_started_here() -> None:
    """Neither its process nor what it held."""
    with s3_server(origins=("java",)) as found:
        assert found.server is not None
        pid, data = found.server.pid, found.server.data
        assert pid is not None
        assert data.is_dir()
    assert not data.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
