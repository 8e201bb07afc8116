"""Flags over the environment over the file; every mistake is named with its place."""

import os
from pathlib import Path

import pytest

from farandole.config import Capacity, load
from farandole.events.errors import ConfigError


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FARANDOLE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _file(folder: Path, text: str) -> Path:
    path = folder / "farandole.toml"
    path.write_text(text)
    return path


def test_without_anything_the_defaults_are_in_force(tmp_path: Path) -> None:
    """Places are those of the working directory."""
    loaded = load()
    assert loaded.file is None
    assert loaded.config.log == f"sqlite:///{tmp_path}/var/farandole/log.db"
    assert loaded.config.assets == str(tmp_path / "var/farandole/assets")
    assert (loaded.config.partitions, loaded.config.grace, loaded.config.log_level) == (4, 30.0, "INFO")
    assert {origin for _, _, origin in loaded.values()} == {"default"}


def test_flags_go_over_the_environment_and_that_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each value tells where it came from."""
    path = _file(
        tmp_path, 'partitions = 1\ngrace = "1m"\nlog_level = "warning"\n[step.a.b]\nattempts = 2\ntimeout = "9s"'
    )
    monkeypatch.setenv("FARANDOLE_GRACE", "5s")
    monkeypatch.setenv("FARANDOLE_PARTITIONS", "8")
    monkeypatch.setenv("FARANDOLE_STEP__A__B__ATTEMPTS", "7")
    loaded = load({"partitions": 16, "log": None})
    assert (loaded.config.partitions, loaded.config.grace, loaded.config.log_level) == (16, 5.0, "WARNING")
    assert loaded.capacity("a", "b") == Capacity(attempts=7, timeout=9.0)
    assert loaded.capacity("a", "other").changes() == {}
    origins = {name: origin for name, _, origin in loaded.values()}
    assert origins["partitions"] == "--partitions"
    assert origins["grace"] == "FARANDOLE_GRACE"
    assert origins["log_level"] == origins["step.a.b.timeout"] == str(path)
    assert origins["step.a.b.attempts"] == "FARANDOLE_STEP__A__B__ATTEMPTS"
    assert origins["log"] == "default"


def test_a_step_with_a_dash_is_named_with_an_underscore_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable's name cannot hold a dash."""
    monkeypatch.setenv("FARANDOLE_STEP__WORD_COUNT__READ_IT__CONCURRENCY", "3")
    assert load().capacity("word-count", "read-it") == Capacity(concurrency=3)


def test_lists_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders as in PATH, names by spaces or commas."""
    monkeypatch.setenv("FARANDOLE_ROOTS", "data:/abs")
    monkeypatch.setenv("FARANDOLE_UP__SERVICES", "a.steps:service, b:service c:service")
    config = load().config
    assert config.roots == (tmp_path / "data", Path("/abs"))
    assert config.up.services == ("a.steps:service", "b:service", "c:service")


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers set them for what is not configured."""
    monkeypatch.setenv("FARANDOLE_PARTITIONS", "")
    assert load().config.partitions == 4


def test_the_nearest_file_counts_and_its_places_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the environment and of flags are relative to where the command runs."""
    path = _file(tmp_path, 'log = "sqlite:///log.db?lease=2"\nassets = "store"\npath = ["src"]\nroots = ["../in"]')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setenv("FARANDOLE_SCRATCH", "tmp")
    loaded = load()
    assert (loaded.file, loaded.base) == (path, tmp_path)
    assert loaded.config.log == f"sqlite:///{tmp_path}/log.db?lease=2"
    assert (loaded.config.assets, loaded.config.path) == (str(tmp_path / "store"), (tmp_path / "src",))
    assert loaded.config.roots == (tmp_path.parent / "in",)
    assert loaded.config.scratch == below / "tmp"
    assert load({"log": "sqlite:///mine.db"}).config.log == f"sqlite:///{below}/mine.db"
    assert load({"log": "memory:"}).config.log == "memory:"


def test_a_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a flag, or by FARANDOLE_CONFIG; then it has to be there."""
    _file(tmp_path, "partitions = 1")
    other = tmp_path / "other.toml"
    other.write_text("partitions = 2")
    monkeypatch.setenv("FARANDOLE_CONFIG", "other.toml")
    assert load().config.partitions == 2
    assert load(file=tmp_path / "farandole.toml").config.partitions == 1
    with pytest.raises(ConfigError, match="No such file"):
        load(file=Path("missing.toml"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("logg = 1", "farandole.toml: logg: is no setting; did you mean 'log'"),
        ("[up]\nservice = []", "farandole.toml: up.service: is no setting; did you mean 'services'"),
        ("[step.a.b]\nconcurency = 1", "step.a.b.concurency: is no setting; did you mean 'concurrency'"),
        ("[step.a.b]\nconcurrency = 0", "step.a.b.concurrency: Input should be greater than or equal to 1"),
        ("[step.a.b]\ntimeout = '-1s'", "step.a.b.timeout: .* is no duration"),
        ("grace = nan", "grace: nan is no duration"),
        ("partitions = 'many'", "partitions: Input should be a valid integer"),
        ("partitions = 100000", "partitions: Input should be less than or equal to 1024"),
        ("log_level = 'LOUD'", "log_level: Input should be 'DEBUG'"),
        ("step = 3", "step: Input should be a valid dictionary"),
        ("roots = 3", "roots: Input should be a valid tuple"),
        ("log = 3", "log: Input should be a valid string"),
        ("partitions = 1\npartitions = 2", "farandole.toml: Cannot overwrite a value"),
        ("partitions = ", "farandole.toml: Invalid value"),
        ("a = " + "[" * 100_000, "farandole.toml: "),
    ],
)
def test_a_mistake_in_the_file_is_named_with_file_and_field(tmp_path: Path, text: str, why: str) -> None:
    """Nothing is guessed, nothing is ignored."""
    _file(tmp_path, text)
    with pytest.raises(ConfigError, match=why):
        load()


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe, bytes that are no text, and more than anybody writes by hand."""
    path = tmp_path / "farandole.toml"
    path.mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        load()
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="folder, pipe or device"):
        load()
    path.unlink()
    path.write_bytes(b"log = '\xff'")
    with pytest.raises(ConfigError, match="utf-8"):
        load()
    path.write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="more than 1048576 bytes"):
        load()


def test_a_mistake_in_the_environment_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A near miss is refused; what resembles nothing of ours may be somebody else's, and is told."""
    monkeypatch.setenv("FARANDOLE_OBSERVE_STORE", "x")
    assert load().ignored == ("FARANDOLE_OBSERVE_STORE",)
    monkeypatch.setenv("FARANDOLE_PARTITIONS", "x")
    with pytest.raises(ConfigError, match=r"^FARANDOLE_PARTITIONS: Input should be a valid integer"):
        load()
    monkeypatch.setenv("FARANDOLE_PARTITIONS", "1")
    monkeypatch.setenv("FARANDOLE_STEP__A__B__CONCURENCY", "1")
    with pytest.raises(ConfigError, match=r"FARANDOLE_STEP__A__B__CONCURENCY: is no setting; did you mean"):
        load()
    monkeypatch.delenv("FARANDOLE_STEP__A__B__CONCURENCY")
    monkeypatch.setenv("FARANDOLE_UP", "{broken")
    with pytest.raises(ConfigError, match="FARANDOLE_"):
        load()
    monkeypatch.delenv("FARANDOLE_UP")
    monkeypatch.setenv("FARANDOLE_PARTITION", "1")
    with pytest.raises(ConfigError, match="FARANDOLE_PARTITION is no setting; did you mean FARANDOLE_PARTITIONS"):
        load()


def test_a_mistake_in_a_flag_is_named_by_the_flag() -> None:
    """As it was typed."""
    with pytest.raises(ConfigError, match=r"^--log-level: "):
        load({"log_level": "LOUD"})


def test_the_receiver_of_traces_and_their_share_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts, with place and remedy."""
    _file(tmp_path, 'traces = "otlp://collector:4317"\ntrace_ratio = 0.01')
    assert (load().config.traces, load().config.trace_ratio) == ("otlp://collector:4317", 0.01)
    monkeypatch.setenv("FARANDOLE_TRACES", "off")
    assert load().config.traces == "off"
    monkeypatch.setenv("FARANDOLE_TRACES", "http://collector")
    with pytest.raises(ConfigError, match=r"FARANDOLE_TRACES: .*otlp://host:4317"):
        load()
    monkeypatch.setenv("FARANDOLE_TRACES", "")
    for wrong in ("3", "-0.1", "nan", "all"):
        monkeypatch.setenv("FARANDOLE_TRACE_RATIO", wrong)
        with pytest.raises(ConfigError, match="FARANDOLE_TRACE_RATIO"):
            load()


def test_assets_are_a_folder_or_the_url_of_a_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is relative to the file that names it; a URL stays as it is, and copies lie where scratch does."""
    path = _file(tmp_path, 'assets = "s3://bucket/eo"\nscratch = "work"\nasset_cache_size = "2GiB"')
    where = load().config.where_assets_lie
    assert where == ("s3://bucket/eo", str(tmp_path / "work" / "farandole-assets"), 2 * 1024**3)
    path.write_text('assets = "s3://bucket/eo"\nasset_cache = "copies"')
    assert load().config.where_assets_lie == ("s3://bucket/eo", str(tmp_path / "copies"), 10 * 1024**3)
    path.write_text('assets = "store"')
    assert load().config.where_assets_lie[:2] == (str(tmp_path / "store"), "")
    monkeypatch.setenv("FARANDOLE_ASSETS", "file:///elsewhere")
    assert load().config.assets == "file:///elsewhere"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('assets = "s3://me:canary-9@b"', "assets: no user or password belongs in the URL"),
        ('assets = "memory:"', "assets: memory: would lose"),
        ('assets = ""', "assets: .*at least 1 character"),
        ("assets = 3", "assets: Input should be a valid string"),
        ('asset_cache_size = "much"', "asset_cache_size: "),
        ('asset_cache_size = "-1"', "asset_cache_size: "),
    ],
)
def test_assets_that_can_be_nowhere_are_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    """With the file and the field, and without a secret."""
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError, match=f"{path}: {said}") as caught:
        load()
    assert "canary" not in str(caught.value)


def test_what_says_who_we_are_to_a_bucket_is_no_setting_and_no_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read elsewhere, and not shown; what is nearly it, is a slip."""
    monkeypatch.setenv("FARANDOLE_ASSETS_SECRET_FILE", "/canary")
    loaded = load()
    assert loaded.ignored == ()
    assert not any("canary" in str(value) for _, value, _ in loaded.values())
    monkeypatch.setenv("FARANDOLE_ASSETS_SECRETFILE", "/canary")
    with pytest.raises(ConfigError, match="did you mean FARANDOLE_ASSETS_SECRET_FILE"):
        load()
