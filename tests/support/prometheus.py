"""A real Prometheus of a test's own: Debian's program, on a free port of loopback, that scrapes what it is told to."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

_REQUIRED = "FARANDOLE_REQUIRE_PROMETHEUS"
_PATIENCE = 60.0


def program(name: str) -> str:
    """The path of `prometheus` or `promtool`. Skips, loudly, where it is not installed, unless that is required."""
    found = shutil.which(name)
    if found is None:
        said = f"{name} is not installed (on Debian: apt-get install prometheus)"
        if os.environ.get(_REQUIRED):
            pytest.fail(f"{said}, and {_REQUIRED} is set")
        pytest.skip(said)
    return found


def fetch(url: str, accept: str = "text/plain") -> tuple[int, str]:
    """Status and body of a page, whatever the status."""
    try:
        with urlopen(Request(url, headers={"Accept": accept}), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:  # which is an answer here
        return error.code, error.read().decode()


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **said: str) -> Any:
        """The `data` of an answer of its API."""
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(said)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression gives now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def until(self, expression: str) -> list[Any]:
        """The series of an expression, as soon as there are any."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := self.query(expression)):
            targets = self.ask("targets")["activeTargets"]
            assert time.monotonic() < deadline, f"{expression} gives nothing; {[t['lastError'] for t in targets]}"
            time.sleep(0.2)
        return found


@contextmanager
def prometheus(targets: Mapping[str, Sequence[str]], rules: Sequence[Path] = ()) -> Iterator[Prometheus]:
    """Scrapes the targets (`host:port`, by job) every second while inside; `rules`: files of rules it goes by."""
    server = program("prometheus")
    folder = Path(tempfile.mkdtemp(prefix="farandole-prometheus-"))
    try:
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": list(hosts)}]} for job, hosts in targets.items()
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))  # which is YAML, too
        url = f"http://127.0.0.1:{_free_port()}"
        command = [server, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address={url.removeprefix('http://')}", "--enable-feature=exemplar-storage"]
        with (
            (folder / "said").open("wb") as said,
            subprocess.Popen(command, cwd=folder, stdout=said, stderr=said) as process,
        ):
            try:
                _wait(url, process, folder)
                yield Prometheus(url)
            finally:
                process.terminate()
                process.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{url}/-/ready", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"Prometheus did not start: {(folder / 'said').read_text()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
