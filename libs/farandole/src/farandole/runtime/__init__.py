"""Runs steps: declares, leases, calls, gathers, and commits outcomes; knows the log only through its port."""
