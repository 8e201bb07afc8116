"""Traces from the log alone: the spans that services export as they go, and the root span of what has ended."""
