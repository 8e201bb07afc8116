"""A real S3 server for tests and demonstrations: one that runs, or S3Proxy on Java."""

from scripts.s3.errors import NoS3, S3Failed
from scripts.s3.find import GIVEN, S3, s3_server
from scripts.s3.server import Server

__all__ = ["GIVEN", "S3", "NoS3", "S3Failed", "Server", "s3_server"]
