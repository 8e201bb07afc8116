"""Whole choreographies on the memory engine, under faults drawn from seeds."""
