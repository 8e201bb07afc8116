"""Measurements beside a peer and the physical limit, in one run; no test, and not in CI."""
