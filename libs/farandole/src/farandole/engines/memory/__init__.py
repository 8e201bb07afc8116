"""The memory engine: the whole contract of the log in one process, on one seed; nothing of it is durable."""
