"""What left the log: Parquet files that are read with the rest as one history, and what may leave it next."""
