"""The public surface is frozen: what a user may import, what that costs, and nothing else by accident."""

import subprocess
import sys

import farandole

NAMES = [
    "Asset",
    "AssetCorrupt",
    "AssetError",
    "AssetMissing",
    "AssetRefused",
    "AsyncClient",
    "BadInput",
    "Client",
    "ConfigError",
    "Context",
    "DeclarationError",
    "Event",
    "FarandoleError",
    "IdConflict",
    "LogError",
    "LogUnavailable",
    "NotFound",
    "ProgramFailed",
    "Published",
    "Resources",
    "Retry",
    "RetryAfter",
    "Service",
    "Settings",
    "StepError",
    "TimedOut",
]


def test_the_public_names_are_these_and_each_is_there() -> None:
    """Adding one is a decision; taking one away breaks somebody."""
    assert farandole.__all__ == sorted(NAMES, key=lambda name: name)
    for name in NAMES:
        assert getattr(farandole, name).__name__ == name
    assert set(NAMES) <= set(dir(farandole))


def test_every_error_that_is_public_is_one_of_ours() -> None:
    """So that `except FarandoleError` catches all that is raised on purpose."""
    errors = [
        found for name in NAMES if isinstance(found := getattr(farandole, name), type) and issubclass(found, Exception)
    ]
    assert len(errors) == 16
    assert all(issubclass(error, farandole.FarandoleError) for error in errors)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As of any module; the version is there."""
    assert not hasattr(farandole, "nothing")
    assert farandole.__version__


def _loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_farandole_costs_next_to_nothing() -> None:
    """Names are loaded when they are asked for."""
    loaded = _loaded_by("import farandole")
    assert {name for name in loaded if name.startswith("farandole")} == {"farandole"}
    assert not loaded & {"pydantic", "typer", "apsw", "asyncio"}


def test_what_declares_steps_loads_no_client_no_engine_and_no_command_line() -> None:
    """Each worker process of a step pays for what it imports."""
    loaded = _loaded_by("from farandole import Asset, Context, Event, Retry, RetryAfter, Service, Settings")
    floors = {name.split(".")[1] for name in loaded if name.startswith("farandole.")}
    assert not floors & {"client", "engines", "cli", "testing", "fold", "config"}
    assert not loaded & {"typer", "apsw"}
