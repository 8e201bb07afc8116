"""What the URL asks for and the environment gives becomes both clients' settings; nothing is given in vain or shown."""

import ssl
import subprocess
from pathlib import Path

import pytest

from farandole.config import load
from farandole.engines.kafka.address import read_address
from farandole.engines.kafka.clients import Clients
from farandole.engines.kafka.logins import for_aiokafka, for_confluent
from farandole.engines.kafka.security import Security, read_security
from farandole.events.errors import ConfigError

CANARY = "canary-5f1c"
BEARER = "?security=sasl_ssl&mechanism=OAUTHBEARER"
LOGIN = {"FARANDOLE_KAFKA_USER": "eo", "FARANDOLE_KAFKA_PASSWORD": CANARY}


def _read(query: str, environment: dict[str, str]) -> Security:
    return read_security(read_address(f"kafka://one/eo{query}"), environment)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate, and its key, which the canary opens."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", f"pass:{CANARY}", "-days", "2"]
    subprocess.run([*command, "-subj", "/CN=one", "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def test_a_plain_url_asks_for_nothing() -> None:
    """And needs nothing of the environment; what stands there empty is not set."""
    security = _read("", {"FARANDOLE_KAFKA_USER": "", "HOME": "/"})
    assert security == Security()
    assert for_confluent(security) == {}
    assert for_aiokafka(security) == {"security_protocol": "PLAINTEXT"}


def test_a_user_goes_to_both_clients_alike() -> None:
    """SCRAM-SHA-512 where the URL names no mechanism."""
    security = _read("?security=sasl_plaintext", LOGIN)
    assert for_confluent(security) == {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "eo",
        "sasl.password": CANARY,
    }
    assert for_aiokafka(security) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "eo",
        "sasl_plain_password": CANARY,
    }


def test_tls_verifies_certificate_and_host_name(pair: tuple[Path, Path]) -> None:
    """In both clients, with a certificate of our own whose key has a password."""
    cert, key = pair
    given = {"CA": cert, "CERT": cert, "KEY": key, "KEY_PASSWORD": CANARY}
    security = _read("?security=ssl", {f"FARANDOLE_KAFKA_{name}": str(value) for name, value in given.items()})
    assert for_confluent(security) == {
        "security.protocol": "SSL",
        "enable.ssl.certificate.verification": True,
        "ssl.endpoint.identification.algorithm": "https",
        "ssl.ca.location": str(cert),
        "ssl.certificate.location": str(cert),
        "ssl.key.location": str(key),
        "ssl.key.password": CANARY,
    }
    context = for_aiokafka(security)["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert CANARY not in repr(security)


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    """Without the end of its last line; and never in both places."""
    (tmp_path / "password").write_text(f"{CANARY}\n")
    by_file = {"FARANDOLE_KAFKA_USER": "eo", "FARANDOLE_KAFKA_PASSWORD_FILE": str(tmp_path / "password")}
    assert _read("?security=sasl_ssl", by_file).password.get_secret_value() == CANARY
    with pytest.raises(ConfigError, match="both set"):
        _read("?security=sasl_ssl", by_file | LOGIN)
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError, match=r"FARANDOLE_KAFKA_PASSWORD_FILE.*cannot be read"):
        _read("?security=sasl_ssl", by_file)


@pytest.mark.parametrize(
    ("query", "given", "said"),
    [
        ("?security=sasl_ssl", {}, "needs FARANDOLE_KAFKA_USER"),
        ("?security=sasl_ssl", {"USER": "eo"}, "needs FARANDOLE_KAFKA_PASSWORD"),
        ("", {"PASSWORD": CANARY}, r"FARANDOLE_KAFKA_PASSWORD is set.*\?security=sasl_ssl"),
        ("?security=ssl", {"USER": "eo"}, "names no user"),
        ("", {"CA": "/ca.pem"}, r"FARANDOLE_KAFKA_CA is set.*\?security=ssl"),
        ("?security=sasl_plaintext", {"CA": "/ca.pem"}, "asks for no TLS"),
        ("?security=ssl", {"CA": "/nowhere/ca.pem"}, "FARANDOLE_KAFKA_CA: /nowhere/ca.pem cannot be read"),
        ("?security=ssl", {"CERT": __file__}, "go together"),
        (BEARER, {}, "needs FARANDOLE_KAFKA_TOKEN_FILE, or FARANDOLE_KAFKA_TOKEN_URL"),
        (BEARER, {"TOKEN_FILE": "/t", "PASSWORD": CANARY}, "TOKEN_FILE and FARANDOLE_KAFKA_PASSWORD are both set"),
        (BEARER, {"TOKEN_FILE": "/t", "TOKEN_URL": "https://one"}, "TOKEN_FILE and FARANDOLE_KAFKA_TOKEN_URL are both"),
        (BEARER, {"TOKEN_FILE": "/nowhere/t"}, "FARANDOLE_KAFKA_TOKEN_FILE: /nowhere/t cannot be read"),
        (BEARER, {"TOKEN_FILE": __file__}, "holds no JWT that says when it ends"),
        (BEARER, {"TOKEN_URL": "https://one/t"}, "needs FARANDOLE_KAFKA_USER"),
        (BEARER, {"TOKEN_URL": "https://one/t", "USER": "eo"}, "needs FARANDOLE_KAFKA_PASSWORD"),
        (BEARER, {"TOKEN_URL": "http://one/t", "USER": "eo", "PASSWORD": CANARY}, "is no https:// URL"),
        (BEARER, {"TOKEN_URL": f"https://eo:{CANARY}@one/t", "USER": "eo", "PASSWORD": "x"}, "is no https:// URL"),
        ("?security=sasl_ssl", {"TOKEN_FILE": "/t"}, r"TOKEN_FILE is set.*&mechanism=OAUTHBEARER"),
        ("?security=ssl", {"CA": __file__}, "holds no certificate"),
        ("?security=ssl", {"CERT": __file__, "KEY": __file__}, "no certificate and its key"),
    ],
)
def test_what_is_missing_or_given_in_vain_is_named(query: str, given: dict[str, str], said: str) -> None:
    """With the variable, and without what it holds."""
    with pytest.raises(ConfigError, match=said) as refused:
        _read(query, {f"FARANDOLE_KAFKA_{name}": value for name, value in given.items()})
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("password", [{}, {"FARANDOLE_KAFKA_KEY_PASSWORD": f"{CANARY}-wrong"}])
def test_a_key_that_does_not_open_is_refused_without_asking(password: dict[str, str], pair: tuple[Path, Path]) -> None:
    """OpenSSL would ask at the terminal, and a service would hang."""
    given = {"FARANDOLE_KAFKA_CERT": str(pair[0]), "FARANDOLE_KAFKA_KEY": str(pair[1])}
    with pytest.raises(ConfigError, match="does not open the key") as refused:
        _read("?security=ssl", given | password)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?security=tls", "give one of plaintext, ssl"),
        ("?security=sasl_ssl&mechanism=GSSAPI", "give one of SCRAM-SHA-512"),
        ("?security=ssl&mechanism=PLAIN", "is for a user"),
        ("?security=sasl_plaintext&mechanism=plain", "send the password readable"),
        ("?security=sasl_plaintext&mechanism=oauthbearer", "send the token readable"),
        ("?ssl.ca.location=x", "knows only lease, security, mechanism"),
    ],
)
def test_a_security_that_is_none_is_refused(query: str, said: str) -> None:
    """With what may stand there instead."""
    with pytest.raises(ConfigError, match=said):
        read_address(f"kafka://one/eo{query}")


def test_the_variables_are_settings_and_their_slips_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They are not listed as ignored, nor shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARANDOLE_KAFKA_PASSWORD", CANARY)
    loaded = load()
    assert "FARANDOLE_KAFKA_PASSWORD" not in loaded.ignored
    assert CANARY not in repr(loaded)
    monkeypatch.setenv("FARANDOLE_KAFKA_PASSWRD", CANARY)
    with pytest.raises(ConfigError, match="did you mean FARANDOLE_KAFKA_PASSWORD") as refused:
        load()
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("name", ["ACKS", "AUTO_OFFSET_RESET", "ENABLE_AUTO_COMMIT", "TRANSACTIONAL_ID"])
def test_a_variable_that_sets_an_option_of_the_client_is_refused_by_name(name: str) -> None:
    """Whoever sets one believes that it counts."""
    with pytest.raises(ConfigError, match=f"FARANDOLE_KAFKA_{name} is no setting; unset it"):
        _read("", {f"FARANDOLE_KAFKA_{name}": "1"})


def test_a_client_is_not_made_without_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any broker is asked."""
    for name in LOGIN:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="needs FARANDOLE_KAFKA_USER"):
        Clients(read_address("kafka://one/eo?security=sasl_ssl"))
