"""Stacking: brings a scene's bands onto one grid, in one GeoTIFF, with GDAL's programs or rio."""
