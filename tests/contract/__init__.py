"""The contract of the log, run against every engine."""
