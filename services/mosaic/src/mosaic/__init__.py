"""Mosaic: lays the tiles of a scene together again."""
