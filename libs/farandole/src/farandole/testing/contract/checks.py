"""How a case says that something is not as it must be; it knows neither log nor rig."""

from collections.abc import Awaitable


def expect(truth: object, text: str) -> None:
    """Raise AssertionError with `text` unless `truth` holds; unlike a bare assert also under `python -O`."""
    if not truth:
        raise AssertionError(text)


def same(found: object, wanted: object, what: str) -> None:
    """Raise AssertionError unless both are equal."""
    expect(found == wanted, f"{what}: found {found!r}, not {wanted!r}")


async def refused(call: Awaitable[object], *errors: type[Exception]) -> Exception:
    """The error, one of `errors`, that the call has to raise."""
    try:
        result = await call
    except errors as error:
        return error
    raise AssertionError(f"returned {result!r}; it has to raise {' or '.join(e.__name__ for e in errors)}")
