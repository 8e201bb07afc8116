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
        together: AbstractContextManager[None] = UNHEARD
        for hook in self._hooks:
            entered = hook.running(attempt)
            if entered is not UNHEARD:
                together = entered if together is UNHEARD else _Both(together, entered)
        return together

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


class _Both:
    """Enters one, then the other, and leaves them in reverse. Hooks do not raise, so an ExitStack, which costs more, is
    not needed; what the code raises passes through both.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, outer: AbstractContextManager[None], inner: AbstractContextManager[None]) -> None:
        self._outer, self._inner = outer, inner

    def __enter__(self) -> None:
        self._outer.__enter__()
        self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._inner.__exit__(kind, error, trace)
        self._outer.__exit__(kind, error, trace)
