"""Several hooks as one, or as none at all, so that the runtime has one question to ask."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

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
            return _all_of(entered)
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


@contextmanager
def _all_of(entered: Sequence[AbstractContextManager[None]]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in entered:
            stack.enter_context(context)
        yield
