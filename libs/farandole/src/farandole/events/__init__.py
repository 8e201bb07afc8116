"""Events, their envelope and bytes; pure: no I/O, no clock, no randomness."""
