"""The model and the simulation of `scripts.scale`: pure, seeded, and beside what was measured."""
