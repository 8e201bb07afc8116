"""What the environment says: brokers, namespace, windows and limits; nothing is read anywhere else."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sla_watcher.limits import BadLimits, Limit, Limits, read_limit, read_limits

_BROKER = re.compile(r"[^\s:/@,]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


class BadSettings(Exception):
    """A variable cannot be used; the text is one line that names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`window` and `slack` in seconds; `data`: a folder of our own."""

    brokers: tuple[str, ...]
    namespace: str
    window: int
    slack: float
    limits: Limits
    data: Path

    def topic(self, name: str) -> str:
        """A topic of the log, as it is called on the cluster."""
        return f"{self.namespace}.{name}"

    @property
    def group(self) -> str:
        """Group and beginning of our own topics: other windows are other figures, so they share nothing."""
        return f"{self.namespace}.sla-watcher-{self.window}s"


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises BadSettings."""
    window = _number(environment, "SLA_WINDOW", "60", 1, 86_400)
    if window != int(window):
        raise BadSettings(f"SLA_WINDOW is {window:g}; give whole seconds, 1 to 86400")
    return Settings(
        _brokers(_required(environment, "SLA_BROKERS", "broker-1:9092,broker-2:9092")),
        _namespace(_required(environment, "SLA_NAMESPACE", "what follows the last / of the log's URL")),
        int(window),
        _number(environment, "SLA_SLACK", "5", 0.1, 3600),
        _limits(environment),
        _data(environment.get("SLA_DATA", "")),
    )


def _required(environment: Mapping[str, str], name: str, example: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise BadSettings(f"{name} is not set; set it to {example}")
    return value


def _brokers(text: str) -> tuple[str, ...]:
    brokers = tuple(part.strip() for part in text.split(","))
    for broker in brokers:
        if _BROKER.fullmatch(broker) is None:
            shown = "what holds an @" if "@" in broker else repr(broker)
            raise BadSettings(f"SLA_BROKERS: {shown} is no broker; write name:port, with commas between, no user")
    return brokers


def _namespace(text: str) -> str:
    if _NAMESPACE.fullmatch(text) is None:
        raise BadSettings(f"SLA_NAMESPACE is {text!r}; give letters, digits, '.', '_' and '-', at most 100")
    return text


def _number(environment: Mapping[str, str], name: str, default: str, least: float, most: float) -> float:
    text = environment.get(name, "").strip() or default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise BadSettings(f"{name} is {text!r}; give seconds, {least:g} to {most:g}")
    return value


def _limits(environment: Mapping[str, str]) -> Limits:
    default = Limit(
        _limit(environment, "SLA_MAX_FAILURES", "failures"),
        _limit(environment, "SLA_MAX_P95", "p95"),
    )
    path = environment.get("SLA_LIMITS", "").strip()
    limits = _from_file(path, default) if path else Limits(default)
    if not limits.any:
        raise BadSettings("nothing is limited; set SLA_MAX_FAILURES or SLA_MAX_P95, or name a file with SLA_LIMITS")
    return limits


def _limit(environment: Mapping[str, str], name: str, field_name: str) -> float | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        return read_limit(name, field_name, float(text))
    except BadLimits as error:
        raise BadSettings(str(error)) from error
    except ValueError as error:
        raise BadSettings(f"{name} is {text!r}; give a number") from error


def _from_file(path: str, default: Limit) -> Limits:
    try:
        return read_limits(Path(path).read_text(encoding="utf-8"), default)
    except OSError as error:
        raise BadSettings(f"SLA_LIMITS: {path!r} can't be read: {error.strerror}; name a TOML file") from error
    except UnicodeDecodeError as error:
        raise BadSettings(f"SLA_LIMITS: {path!r} is not UTF-8; name a TOML file") from error
    except BadLimits as error:
        raise BadSettings(f"SLA_LIMITS: {path!r}: {error}") from error


def _data(path: str) -> Path:
    if not path.strip():
        return Path(tempfile.gettempdir()) / "farandole-sla-watcher"
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise BadSettings(f"SLA_DATA: {path!r} is no folder; name one, or none for a temporary one")
    return folder
