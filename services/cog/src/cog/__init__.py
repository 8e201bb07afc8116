"""COG: writes a mosaic as a validated Cloud-Optimised GeoTIFF."""
