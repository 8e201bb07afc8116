"""The one settings model: flags over `FARANDOLE_*` over `farandole.toml`; it opens nothing that it names."""

from farandole.config.load import Loaded, load
from farandole.config.model import Capacity, Config, Up

__all__ = ["Capacity", "Config", "Loaded", "Up", "load"]
