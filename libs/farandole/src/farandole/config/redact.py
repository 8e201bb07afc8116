"""Hides the secrets that settings may hold, for whoever shows them."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

HIDDEN = "***"
_SECRET = re.compile(r"passw|pwd|secret|token|credential|api[_.-]?key|private[_.-]?key", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


def redacted_url(url: str) -> str:
    """The URL without user, password, and what in its query is named like a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an unclosed bracket; whatever it is, it has no user to show
        return _USER_INFO.sub(f"{HIDDEN}@", url)
    if parts.query and _SECRET.search(parts.query):
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        shown = [(name, HIDDEN if _SECRET.search(name) else text) for name, text in pairs]
        url = urlunsplit(parts._replace(query=urlencode(shown, safe="*/")))
    return _USER_INFO.sub(f"{HIDDEN}@", url)
