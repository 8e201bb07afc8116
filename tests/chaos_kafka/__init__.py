"""Kills services and brokers of a real Kafka, and lets a checker that knows nothing of the library judge the log."""
