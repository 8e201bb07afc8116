"""Masking: marks cloud and cirrus by a plain heuristic."""
