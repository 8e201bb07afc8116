"""What can be wrong with the Docker engine, and with the images that ours are made from."""

from farandole.events.errors import FarandoleError


class NoEngine(FarandoleError):
    """No Docker engine is to be had here; the text says what was tried and what to install."""


class NoBase(FarandoleError):
    """A base image can neither be pulled nor made here; the text says why."""


class EngineFailed(FarandoleError):
    """An engine that was found or started did not do what it was asked; the text ends with what it said."""
