"""Who gives tokens in tests: signs JWTs, and hands them out over HTTPS as an OIDC provider does."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.kafka.tls import Pair, openssl

AUDIENCE, NAME = "kafka", "https://issuer.test"


@dataclass
class Issuer:
    """With a key of its own under `folder`; `life`: seconds of each token; `given`: those it handed out over HTTPS."""

    folder: Path
    life: float = 3600.0
    given: list[str] = field(default_factory=list)

    @property
    def keys(self) -> Path:
        """Its public key as brokers want it (a JWKS)."""
        return self.folder / "jwks.json"

    @classmethod
    def make(cls, folder: Path) -> "Issuer":
        """Raises CalledProcessError where openssl fails."""
        folder.mkdir()
        openssl(folder, "genrsa -out issuer.key 2048")
        told = openssl(folder, "rsa -in issuer.key -noout -modulus").decode().strip().partition("=")[2]
        key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "e": "AQAB", "n": _b64(bytes.fromhex(told))}
        issuer = cls(folder)
        issuer.keys.write_text(json.dumps({"keys": [key]}))
        return issuer

    def token(self, life: float | None = None, **claims: Any) -> str:
        """One that ends in `life` seconds, for `eo`; `claims` instead of what it would say."""
        now = time.time()
        ends = now + (self.life if life is None else life)
        said = {
            "sub": "eo",
            "iss": NAME,
            "aud": AUDIENCE,
            "iat": int(min(now, ends) - 1),
            "exp": ends,
            "scope": "kafka",
        }
        signed = ".".join(_b64(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "one"}, said | claims))
        signature = openssl(self.folder, "dgst -sha256 -sign issuer.key", signed.encode())
        return f"{signed}.{_b64(signature)}"

    @contextmanager
    def serving(self, papers: Pair, user: str, password: str) -> Iterator[str]:
        """The URL at which it gives tokens to whoever says user and password, until the block ends."""
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        issuer = self

        class Counter(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                if self.headers["Authorization"] != wanted or body != "grant_type=client_credentials&scope=kafka":
                    self.send_error(401)
                    return
                token = issuer.token()
                issuer.given.append(token)
                answer = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": issuer.life}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Nothing to standard error."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Counter)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(papers.cert, papers.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_port}/token"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
