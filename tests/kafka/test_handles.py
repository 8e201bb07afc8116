"""A client that the garbage collector finds while a thread of that client runs our callback for tokens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import gc, os, sys, time
import confluent_kafka
from pydantic import SecretStr
from farandole.engines.kafka import clients, tokens
from farandole.engines.kafka.address import read_address

gc.disable()
if sys.argv[1] == "plain":
    clients.Producer = confluent_kafka.Producer
found = []
left = False

def get(self):
    if left:
        found.append(gc.collect())
    return tokens.Token(SecretStr("a.b.c"), time.time() + (3600 if left else 4))

def threads():
    return len(os.listdir("/proc/self/task"))

tokens.Tokens.get = get
making = clients.Clients(read_address("kafka://127.0.0.1:9/x?security=sasl_ssl&mechanism=OAUTHBEARER"))
before = threads()
cycle = [making.producer(None)]
cycle.append(cycle)
during = threads()
cycle, left = None, True  # nobody has it; its threads go on, and ask for another token
until = time.monotonic() + 20
while (not found or threads() > before) and time.monotonic() < until:
    time.sleep(0.05)
print(during > before, len(found), found[0] > 0, threads() == before)
os._exit(0)
"""


def _run(folder: Path, which: str) -> "subprocess.CompletedProcess[str]":
    given = {name: value for name, value in os.environ.items() if not name.startswith("FARANDOLE_KAFKA_")}
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT, which],
        env=given | {"FARANDOLE_KAFKA_TOKEN_FILE": str(folder / "token")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.slow
def test_a_client_that_is_collected_on_its_own_thread_ends_on_one_of_ours(tmp_path: Path) -> None:
    """Its threads end soon, and the process goes on."""
    done = _run(tmp_path, "ours")
    assert (done.returncode, done.stdout) == (0, "True 1 True True\n"), done.stderr


@pytest.mark.slow
def test_the_collector_would_end_the_process_otherwise(tmp_path: Path) -> None:
    """The day this fails, the clients need no care of ours any more."""
    assert _run(tmp_path, "plain").returncode == -signal.SIGABRT
