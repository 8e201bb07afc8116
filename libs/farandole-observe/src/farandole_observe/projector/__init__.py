"""Folds the log into the tables, shard by shard; any number of replicas may run, and no workflow needs one."""
