"""How patient the rules are: every duration and every threshold of time in them, so that a test can be quicker."""

from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`share`: 1.0 is what ships; 0.02 makes a minute 1.2 s."""

    share: float = 1.0

    def seconds(self, seconds: float) -> float:
        """So many seconds, at this pace."""
        return round(seconds * self.share, 3)

    def said(self, seconds: float) -> str:
        """The same as Prometheus writes a duration."""
        milliseconds = round(seconds * self.share * 1000)
        for unit, name in ((3_600_000, "h"), (60_000, "m"), (1000, "s")):
            if milliseconds and milliseconds % unit == 0:
                return f"{milliseconds // unit}{name}"
        return f"{milliseconds}ms" if milliseconds else "0s"
