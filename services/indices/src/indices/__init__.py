"""Indices: NDVI, NDWI and four classes, the halo cropped off."""
