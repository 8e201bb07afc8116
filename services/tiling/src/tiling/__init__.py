"""Tiling: cuts a stacked scene into windows with a halo."""
