"""What can be wrong with Compose, and with the images that it is given."""

from farandole.events.errors import FarandoleError


class NoCompose(FarandoleError):
    """No Compose is installed; the text says what to install."""


class NoImage(FarandoleError):
    """An image can neither be pulled nor made here."""


class ComposeFailed(FarandoleError):
    """Compose, or a container that it started, did not do what it should; the text ends with what it said."""
