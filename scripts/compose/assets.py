"""Whether assets lie in the object store, where one is started."""

from scripts.compose.project import Project

OBJECTS = "objects"  # the service
_BUCKETS = "/data"  # in its container: a folder each, an object a file
_FOLDER = "/var/lib/farandole/assets"  # in a service's, where they lie without it


def stored(project: Project) -> int:
    """How many contents lie in its buckets."""
    command = ("find", _BUCKETS, "-path", "*/sha256/*", "-type", "f")
    return len(project.engine.docker("exec", project.containers()[OBJECTS].id, *command).split())


def in_folder(project: Project) -> int:
    """How many lie in the volume of the services."""
    command = ("sh", "-c", f"! test -e {_FOLDER} || find {_FOLDER} -path '*/sha256/*' -type f")
    return len(project.engine.docker("exec", project.containers()["catalogue"].id, *command).split())


def misplaced(there: int, in_folder: int) -> list[str]:
    """What is wrong where so many lie in the object store, and so many in the volume."""
    found = [] if there else ["no content lies in the object store"]
    return found + ([f"{in_folder} contents lie in the volume of the services"] if in_folder else [])
