"""Catalogue: describes a product as a STAC item and puts it on the shelf."""
