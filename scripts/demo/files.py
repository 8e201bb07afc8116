"""The names of a product's files."""

PRODUCT, QUICKLOOK, ITEM = FILES = ("product.tif", "quicklook.png", "item.json")
