"""`Context`: what a step may know and use beside its events."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from farandole.assets.resolve import Resolver
from farandole.events.asset import Asset
from farandole.events.errors import AssetRefused
from farandole.log.ports import AssetStore
from farandole.runtime.guarded import Guard
from farandole.runtime.programs import CompletedProgram, Supervision, run_program
from farandole.runtime.scratch import new_folder

_REMEDY = "set FARANDOLE_ASSETS to a folder or the URL of a bucket"


@dataclass(frozen=True, slots=True)
class Tools:
    """What the contexts of one process share: the asset store, what may be fetched, a parent for scratch.

    `under`: whom external programs end with; its guard starts with the first program.
    """

    store: AssetStore | None = None
    resolver: Resolver | None = None
    scratch: Path | None = None
    under: Supervision = field(default_factory=lambda: Supervision(guard=Guard()))


@dataclass(slots=True)
class Context:
    """Given to a step that asks for it: `ctx: Context`.

    `delivery` is the idempotency key for external effects: equal over attempts, redrives and crashes. `absent`
    lists the indices of a gathered group whose members did not come. `key` is the delivery's order value.
    `timeout` is what the step was given, in seconds.
    """

    workflow: str
    delivery: str
    attempt: int = 1
    generation: int = 0
    key: str | None = None
    absent: Sequence[int] = ()
    service: str = ""
    step: str = ""
    timeout: float | None = None
    tools: Tools = field(default_factory=Tools)
    _fetched: list[Path] = field(default_factory=list)
    _folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def scratch(self) -> Path:
        """A folder of this attempt's own; removed when the attempt ends."""
        if self._folder is None:
            self._folder = new_folder(self.tools.scratch)
        return Path(self._folder.name)

    def fetch(self, uri_or_asset: str | Asset) -> Path:
        """A local file with the content, verified; not to be written. It stays until the attempt ends.

        Raises AssetRefused (a URI that may not be read), AssetMissing (retried) or AssetCorrupt.
        """
        if self.tools.resolver is None:
            raise AssetRefused(f"no asset store is configured; {_REMEDY}")
        path = self.tools.resolver.fetch(uri_or_asset)
        self._fetched.append(path)
        return path

    def save(self, path: str | Path, media_type: str = "application/octet-stream") -> Asset:
        """Store a file's content, durably; the asset names it wherever it is read."""
        if self.tools.store is None:
            raise AssetRefused(f"no asset store is configured; {_REMEDY}")
        return self.tools.store.put(Path(path), media_type)

    def run(
        self,
        program: str,
        *args: str | Path,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
    ) -> CompletedProgram:
        """Run an external program in `scratch` (or `cwd`), to its end.

        It is ended with its whole process group on `timeout` (default: the step's), on the worker's death and on
        its supervisor's. Raises ProgramFailed with the exit code and the end of stderr, TimedOut. Refused on the
        event loop: declare the step with `def` or `runs="process"`.
        """
        argv = [program, *map(str, args)]
        folder = Path(cwd or self.scratch)
        return run_program(argv, cwd=folder, env=env, timeout=timeout or self.timeout, under=self.tools.under)

    def clean(self) -> None:
        """Remove the scratch folder, let go what was fetched; called when the attempt ends."""
        while self._fetched and self.tools.store is not None:
            self.tools.store.release(self._fetched.pop())
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
