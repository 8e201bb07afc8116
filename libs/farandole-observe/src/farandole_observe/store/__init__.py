"""Where projections are kept: tables, and the positions up to which the log is in them, in one transaction."""
