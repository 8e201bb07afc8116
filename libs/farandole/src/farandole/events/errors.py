"""The one tree of errors; it must not hold anything but errors.

FarandoleError
├── BadInput               what a caller gave is wrong; names the field and the remedy
│   ├── DeclarationError       a service, step or event is declared wrongly
│   ├── ConfigError            a setting is missing, unknown or out of range
│   ├── DecodeError            a record is not an event that can be read
│   ├── UnknownVersion         a record's type has a version that the reader does not know
│   ├── IdConflict             an id was published before with another body
│   ├── NotFound               what was named is not in the log
│   └── Incompatible           a schema breaks a reader or a published version
├── LogError               the event log did not do what it was asked
│   ├── LogUnavailable         it cannot be reached or written: the partition stops
│   ├── LogFormatError         the stored format is newer, damaged or of a refused file system
│   ├── Fenced                 the lease is gone; another member owns the partition
│   └── RecordRefused          one record is not acceptable (too large, unknown topic)
├── AssetError             content could not be stored or fetched
│   ├── AssetRefused           a URI that may not be read (terminal)
│   ├── AssetMissing           the content is not in the store (retried)
│   └── AssetCorrupt           the content does not have its digest or length (terminal)
├── StepError              an attempt ended without an outcome
│   ├── ProgramFailed          an external program ended with a non-zero code
│   ├── TimedOut               the attempt passed its timeout
│   ├── WorkerDied             the worker process of the attempt ended
│   └── RetryAfter             the other side says when to come back
└── ProjectionStopped      a function of a projection failed on a record: it stands before this record
"""


class FarandoleError(Exception):
    """Base of every error that this library raises on purpose."""


class BadInput(FarandoleError):
    """What a caller gave is wrong; the text names the place and the remedy."""


class DeclarationError(BadInput):
    """A service, step or event is declared wrongly; raised when it is declared."""


class ConfigError(BadInput):
    """A setting is missing, unknown or out of range; no service starts with it."""


class DecodeError(BadInput):
    """A record's bytes are not an event that can be read; never retried."""


class UnknownVersion(BadInput):
    """A record's type has a version that the reader does not know; never retried."""


class IdConflict(BadInput):
    """An event id was published before with another body."""


class NotFound(BadInput):
    """What was named is not in the log."""


class Incompatible(BadInput):
    """A schema breaks a reader or a version that was published before."""


class LogError(FarandoleError):
    """The event log did not do what it was asked."""


class LogUnavailable(LogError):
    """The log cannot be reached or written; nothing was acknowledged, the partition stops."""


class LogFormatError(LogError):
    """The stored format is newer, damaged, or lies where it may not lie; says the remedy."""


class Fenced(LogError):
    """The lease is gone: another member owns the partition, nothing of the call was written."""


class RecordRefused(LogError):
    """The log refuses a record for what it is (its size, its topic); nothing was written."""


class AssetError(FarandoleError):
    """Content could not be stored or fetched."""


class AssetRefused(AssetError):
    """The URI names something that may not be read; never retried."""


class AssetMissing(AssetError):
    """The content is not in the store (yet); retried."""


class AssetCorrupt(AssetError):
    """The content has another digest or length than its name says; never retried."""


class StepError(FarandoleError):
    """An attempt ended without an outcome."""


class ProgramFailed(StepError):
    """An external program ended with a non-zero exit code or a signal.

    Attributes: `program`, `code` (negative: the signal's number) and `tail`, the end of its stderr.
    """

    def __init__(self, program: str, code: int, tail: str) -> None:
        self.program, self.code, self.tail = program, code, tail
        super().__init__(f"{program} ended with {code}: {tail or '(no output on stderr)'}")

    def __reduce__(self) -> tuple[type["ProgramFailed"], tuple[str, int, str]]:
        return type(self), (self.program, self.code, self.tail)


class TimedOut(StepError):
    """The attempt passed its timeout and was ended."""


class WorkerDied(StepError):
    """The worker process that ran the attempt ended before it gave an outcome."""


class RetryAfter(StepError):
    """Raised by a step: try again after `delay` (seconds, or text such as "30s"); counts as an attempt."""

    def __init__(self, delay: float | str, why: object = "") -> None:
        self.delay, self.why = delay, why
        super().__init__(f"retry after {delay}: {why}")

    def __reduce__(self) -> tuple[type["RetryAfter"], tuple[float | str, str]]:
        return type(self), (self.delay, str(self.why))


class ProjectionStopped(FarandoleError):
    """A function of a projection failed on a record; what was folded before it is kept, and nothing is lost."""
