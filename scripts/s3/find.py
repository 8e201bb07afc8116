"""Finds a real S3 server: the one that is named, else S3Proxy on Java."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from scripts.s3.errors import NoS3, S3Failed
from scripts.s3.server import BUCKET, Server, answers, own_server

GIVEN = "FARANDOLE_TEST_S3"  # environment: http://host:port/bucket of a running one
_LOGIN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")  # environment: who may read and write there
_PORTS = {"http": 80, "https": 443}
_REMEDY = (
    "Install Java 17 or newer and Maven (on Debian: apt-get install default-jre-headless maven), or name a running "
    f"server: {GIVEN}=http://host:port/bucket, with {' and '.join(_LOGIN)}"
)

Origin = Literal["given", "java"]


@dataclass(frozen=True, slots=True)
class S3:
    """A server that answers, and a bucket there. `server` is None unless it is ours to stop and kill."""

    endpoint: str
    bucket: str
    key: str
    secret: str
    server: Server | None = None

    def environment(self) -> dict[str, str]:
        """What `farandole` needs beside the setting `assets`."""
        return {
            "FARANDOLE_ASSETS_ENDPOINT": self.endpoint,
            "FARANDOLE_ASSETS_REGION": "us-east-1",
            "FARANDOLE_ASSETS_KEY": self.key,
            "FARANDOLE_ASSETS_SECRET": self.secret,
        }


@contextmanager
def s3_server(*, origins: Sequence[Origin] = ("given", "java"), more: Mapping[str, str] | None = None) -> Iterator[S3]:
    """A server until the block ends. `origins`: where it may come from; ("java",) for whoever kills it.

    `more`: settings of S3Proxy beside ours, which a given one does not know.

    Raises NoS3 where none is to be had, S3Failed where one was found and does not answer.
    """
    with ExitStack() as stack:
        if "given" in origins and os.environ.get(GIVEN):
            yield _given(os.environ[GIVEN])
            return
        try:
            server = stack.enter_context(own_server(more or {}))
        except NoS3 as error:
            raise NoS3(f"no S3 server for tests; {GIVEN} is not set, and: {error}\n{_REMEDY}") from error
        yield S3(server.endpoint, BUCKET, server.key, server.secret, server)


def _given(url: str) -> S3:
    parts = urlsplit(url)
    bucket = parts.path.strip("/")
    key, secret = (os.environ.get(name, "") for name in _LOGIN)
    if parts.scheme not in _PORTS or not parts.hostname or not bucket or not key or not secret:
        raise S3Failed(f"{GIVEN} is set, but not as it has to be. {_REMEDY}")
    if not answers(parts.hostname, parts.port or _PORTS[parts.scheme]) and parts.scheme == "http":
        raise S3Failed(f"{GIVEN} is set, but {parts.hostname} does not answer")
    return S3(f"{parts.scheme}://{parts.netloc}", bucket, key, secret)
