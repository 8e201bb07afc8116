"""The event log's ports, and the records that pass through them."""
