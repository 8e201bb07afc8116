"""`make demo`: a real Sentinel-2 scene becomes a catalogued product, and one can watch it happen."""
