"""From the setting to a store: what is opened, and what is refused before anything runs."""

import importlib.util
import os
from pathlib import Path

import pytest

from farandole.assets.local import LocalAssets
from farandole.assets.open import Whereabouts, open_assets
from farandole.events.errors import ConfigError


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("FARANDOLE_ASSETS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_opened_and_not_made(form: str, tmp_path: Path) -> None:
    """Nor is one for copies, since none are needed."""
    assert isinstance(open_assets(Whereabouts(form.format(tmp_path / "assets"))), LocalAssets)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    """Before anything is to be stored in it."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file: no folder; name another"):
        open_assets(Whereabouts(str(tmp_path / "file")))


def test_a_bucket_without_what_it_needs_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named as it is installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs obstore, which is not installed; pip install 'farandole\[objects\]'"):
        open_assets(Whereabouts("s3://bucket"))


def test_what_is_wrong_with_the_access_is_said_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service does not start with it."""
    monkeypatch.setenv("FARANDOLE_ASSETS_KEY", "k")
    with pytest.raises(ConfigError, match="go together"):
        open_assets(Whereabouts("s3://bucket"))


@pytest.mark.parametrize("spoilt", ["link", "open to others", "file"])
def test_a_folder_for_copies_that_others_could_have_made_is_not_used(spoilt: str, tmp_path: Path) -> None:
    """In a place where everybody may write, one finds what somebody has put there."""
    pytest.importorskip("obstore")
    own = tmp_path / "tmp" / f"farandole-assets-{os.getuid()}"
    if spoilt == "link":
        (tmp_path / "theirs").mkdir()
        own.symlink_to(tmp_path / "theirs")
    elif spoilt == "file":
        own.touch()
    else:
        own.mkdir()
        own.chmod(0o777)
    with pytest.raises(ConfigError, match=r"asset_cache: .* is not this user's alone"):
        open_assets(Whereabouts("s3://bucket"))


def test_the_folder_for_copies_is_this_users_alone(tmp_path: Path) -> None:
    """Where none is named; it is made, and used again."""
    pytest.importorskip("obstore")
    for _ in range(2):
        open_assets(Whereabouts("s3://bucket"))
    [own] = (tmp_path / "tmp").iterdir()
    assert own.stat().st_mode & 0o777 == 0o700
