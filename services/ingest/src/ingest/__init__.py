"""Ingest: decides whether a scene's bands can be processed, and says what they are."""
