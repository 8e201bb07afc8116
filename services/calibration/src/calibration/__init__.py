"""Calibration: turns digital numbers into top-of-atmosphere reflectance."""
