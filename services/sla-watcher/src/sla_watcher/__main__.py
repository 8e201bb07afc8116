"""`farandole-sla-watcher`: reads its settings, makes its topics and runs the worker. Exits with 78 on a bad setting."""

import asyncio
import os
import signal
import sys
from typing import NoReturn

import faust
from aiokafka.errors import KafkaError

from sla_watcher.application import make_app
from sla_watcher.settings import BadSettings, read_settings
from sla_watcher.topics import prepare

_BAD_SETTINGS = 78  # sysexits.h: EX_CONFIG
_NO_BROKER = 69  # sysexits.h: EX_UNAVAILABLE


def main() -> None:
    """Until SIGTERM or SIGINT; everything that it needs stands in the environment."""
    if os.getpid() == 1:  # of a container, which the system keeps from what it does not heed
        signal.signal(signal.SIGTERM, _ended)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # which the image's entry point has blocked until here
    try:
        settings = read_settings(os.environ)
    except BadSettings as error:
        _end(_BAD_SETTINGS, str(error))
    try:
        shape = asyncio.run(prepare(settings))
    except KafkaError as error:
        _end(_NO_BROKER, f"{type(error).__name__}: {error}; see that SLA_BROKERS can be reached")
    except KeyboardInterrupt:
        _end(130, "interrupted")
    worker = faust.Worker(make_app(settings, shape), loglevel="WARNING", quiet=True)
    worker.execute_from_commandline()


def _ended(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _end(code: int, said: str) -> NoReturn:
    sys.stderr.write(f"sla-watcher: {said}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
