#!/opt/farandole/bin/python -IS
"""Exits with 0 where the service in this container says that it makes progress, at FARANDOLE_METRICS; with 1 else."""

import os
import sys
from http.client import HTTPConnection, HTTPException

_TIMEOUT = 4.0  # seconds; the image's health check gives up after 5


def main() -> int:
    """Ask once; what is wrong goes to stdout, where `docker inspect` shows it."""
    host, _, port = os.environ.get("FARANDOLE_METRICS", "").rpartition(":")
    if not port.isdigit():
        print("FARANDOLE_METRICS names no port, so nobody can be asked")
        return 1
    # What listens on every address of the container is asked on its own loopback.
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    connection = HTTPConnection(host, int(port), timeout=_TIMEOUT)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        print(f"no answer at {host}:{port}: {error}")
        return 1
    if answer.status == 200:
        return 0
    print(said)
    return 1


if __name__ == "__main__":
    sys.exit(main())
