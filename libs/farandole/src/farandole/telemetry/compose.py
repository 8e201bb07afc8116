"""Several hooks as one, or as none at all, so that the runtime has one question to ask."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from farandole.log.hooks import UNHEARD, Attempt, Commit, Ended, Ending, Hooks


def compose(hooks: Sequence[Hooks]) -> Hooks | None:
    """Hooks that call all of `hooks`, in their order; None where there is none, so that they cost nothing."""
    if len(hooks) > 1:
        return _Composed(tuple(hooks))
    return hooks[0] if hooks else None


class _Composed:
    """Calls each hook in turn; `running` is entered in order and left in reverse."""

    __slots__ = ("_hooks",)

    def __init__(self, hooks: tuple[Hooks, ...]) -> None:
        self._hooks = hooks

    def running(self, attempt: Attempt) -> AbstractContextManager[None]:
        entered = [c for hook in self._hooks if (c := hook.running(attempt)) is not UNHEARD]
        if len(entered) > 1:
            return _Running(entered)
        return entered[0] if entered else UNHEARD

    def hears(self, ending: Ending) -> bool:
        return any(hook.hears(ending) for hook in self._hooks)

    def ended(self, ended: Ended) -> None:
        for hook in self._hooks:
            hook.ended(ended)

    def committed(self, commit: Commit) -> None:
        for hook in self._hooks:
            hook.committed(commit)

    def noted(self, event: str, **fields: object) -> None:
        for hook in self._hooks:
            hook.noted(event, **fields)


class _Running:
    """Enters all in order and leaves them in reverse. Hooks do not raise, so an ExitStack, which costs more, is not
    needed; what the code raises passes through all of them.
    """

    __slots__ = ("_all",)

    def __init__(self, contexts: list[AbstractContextManager[None]]) -> None:
        self._all = contexts

    def __enter__(self) -> None:
        for context in self._all:
            context.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for context in reversed(self._all):
            context.__exit__(kind, error, trace)
