"""The event log's engines, one package each, and `open`, which finds a URL's engine. None knows another."""
