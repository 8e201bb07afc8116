"""What the dashboards and the rules ask Prometheus, each said once.

A metric of a service is of one process: it is summed over the instances, a lag's maximum taken. Every projector shows
all of the fleet's, so of these the maximum is taken before anything is added up.
"""

STEP = "service, step"
RATE = "$__rate_interval"
SERIES = '{__name__=~"farandole_concurrency|farandole_fleet_owed"}'
"""Series of every step that is scraped, or that a projector knows."""


def of_fleet(name: str, labels: str = STEP, where: str = "") -> str:
    """A figure of the projectors by labels, whichever of them shows it."""
    return f"max by ({labels}) (farandole_fleet_{name}{where})"


def fleet_total(name: str, labels: str = STEP) -> str:
    """The same, added up."""
    return f"sum({of_fleet(name, labels)})"


def rate(counter: str, labels: str = STEP, where: str = "", window: str = RATE) -> str:
    """How often a second."""
    return f"sum by ({labels}) (rate({counter}{where}[{window}]))"


def outcomes(ending: str, more: str = "", window: str = RATE) -> str:
    """Outcomes a second by step. `ending`: a regular expression; `more`: further matchers."""
    return rate("farandole_outcomes_total", where=f'{{ending=~"{ending}"{more}}}', window=window)


def quantile(share: float, histogram: str, labels: str = STEP, where: str = "", window: str = RATE) -> str:
    """A percentile, in the histogram's unit."""
    return f"histogram_quantile({share:g}, sum by ({labels}, le) (rate({histogram}_bucket{where}[{window}])))"


ATTEMPTS = "messaging_process_duration_seconds"
COMMITS = "messaging_client_operation_duration_seconds"
RAN = "completed|retrying|dead"
FAILED = "retrying|dead"
