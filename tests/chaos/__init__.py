"""Kills services while they work, and lets a checker that knows nothing of the library judge what is left."""
