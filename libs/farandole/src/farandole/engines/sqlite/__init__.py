"""The SQLite engine: a durable log in one file, shared by the processes of one machine; knows no other engine."""
