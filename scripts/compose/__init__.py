"""`make up`, `make down` and `make smoke`: deploy/compose.yaml on a Docker engine, and whether it works there."""

from scripts.compose.errors import ComposeFailed, NoCompose, NoImage
from scripts.compose.project import Container, Profile, Project

__all__ = ["ComposeFailed", "Container", "NoCompose", "NoImage", "Profile", "Project"]
