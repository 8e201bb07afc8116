"""S3Proxy on Java, over a folder of its own: a bucket is a folder there, and an object a file."""

import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from farandole.runtime.guarded import Guard
from scripts import jars
from scripts.ports import HOST, unused
from scripts.program import NotExecuted, Program, swept_folder
from scripts.s3.errors import NoS3, S3Failed

POM = jars.Server("S3Proxy", "s3proxy", Path(__file__).with_name("pom.xml"), "s3proxy.version", "s3proxy-*.jar")
BUCKET = "farandole"
START = 60.0  # seconds for it to answer; some 3 on two idle cores
_MAIN = "org.gaul.s3proxy.Main"
_LOGGING = Path(__file__).with_name("logback.xml")
_JAVA_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class Server:
    """One server: `start`, `stop`, `kill`, in any order. Its port, its login and its data stay.

    Requests have to be signed (version 4) with `key` and `secret`. `data`: where its buckets lie.
    """

    def __init__(self, command: Sequence[str], *, folder: Path, guard: Guard, more: Mapping[str, str]) -> None:
        self.port = unused(1)[0]
        self.key, self.secret = f"key-{secrets.token_hex(8)}", f"secret-{secrets.token_hex(16)}"
        self.data = folder / "data"
        self._settings = folder / "s3proxy.properties"
        argv = [*command, "--properties", str(self._settings)]
        self._program = Program(argv, folder=folder, log=folder / "server.log", guard=guard)
        self._write(more)

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The JVM's; None while it does not run."""
        return self._program.pid

    def make_bucket(self, name: str) -> None:
        """Harmless where it is there."""
        (self.data / name).mkdir(exist_ok=True)

    def start(self, timeout: float = START) -> None:
        """Start it and wait until it answers; nothing where it runs. Raises S3Failed with the end of its log."""
        try:
            self._program.launch()
        except NotExecuted as error:
            raise S3Failed(str(error)) from error
        deadline = time.monotonic() + timeout
        while not answers(HOST, self.port):
            if self.pid is None or time.monotonic() > deadline:
                raise S3Failed(f"S3Proxy did not answer within {timeout:.0f} s; it said:\n{self.tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """An orderly end."""
        self._program.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self._program.kill()

    def tail(self) -> str:
        """The end of its log."""
        return self._program.tail()

    def _write(self, more: Mapping[str, str]) -> None:
        self.data.mkdir()
        self._settings.touch(mode=0o600)
        settings = {
            "s3proxy.endpoint": self.endpoint,
            "s3proxy.authorization": "aws-v4",
            "s3proxy.identity": self.key,
            "s3proxy.credential": self.secret,
            "jclouds.provider": "filesystem-nio2",
            "jclouds.identity": "",
            "jclouds.credential": "",
            "jclouds.filesystem.basedir": str(self.data),
            **more,
        }
        self._settings.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), encoding="utf-8")


@contextmanager
def own_server(more: Mapping[str, str]) -> Iterator[Server]:
    """One that answers, with a bucket, and with more settings.

    Raises NoS3 where Java or the jars are not to be had, S3Failed.
    """
    try:
        java, classes = jars.find_java(), jars.find_jars(POM)
    except jars.NoJars as error:
        raise NoS3(str(error)) from error
    command = [java, *_JAVA_OPTIONS, f"-Dlogback.configurationFile={_LOGGING}", "-cp", f"{classes}/*", _MAIN]
    with swept_folder("s3") as folder, closing(Guard()) as guard:
        server = Server(command, folder=folder, guard=guard, more=more)
        server.make_bucket(BUCKET)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def answers(host: str, port: int) -> bool:
    """Whether somebody there answers HTTP, with whatever he says to strangers."""
    try:
        with socket.create_connection((host, port), 1) as asking:
            asking.sendall(f"GET / HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return asking.recv(5) == b"HTTP/"
    except OSError:
        return False
