"""Docker for tests, `make images` and `make smoke`: an engine that runs or one of our own, and images to begin with."""

from scripts.containers.bases import Base, debian, find_base
from scripts.containers.engine import Engine, Origin, docker_engine
from scripts.containers.errors import EngineFailed, NoBase, NoEngine

__all__ = ["Base", "Engine", "EngineFailed", "NoBase", "NoEngine", "Origin", "debian", "docker_engine", "find_base"]
