"""What can be wrong with the S3 server that tests use."""

from farandole.events.errors import FarandoleError


class NoS3(FarandoleError):
    """No S3 server is to be had here; the text says what was tried and what to install."""


class S3Failed(FarandoleError):
    """A server that was found or started does not answer; the text ends with what it logged last."""
