"""Quicklook: renders a mosaic as a PNG, true colour beside classes."""
