"""Tests of what the documentation tells its readers to do."""
