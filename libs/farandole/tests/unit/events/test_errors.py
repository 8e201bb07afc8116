"""The tree of errors: every one of them can be told apart, and crosses a process boundary whole."""

import inspect
import pickle

import pytest

from farandole.events import errors
from farandole.events.errors import FarandoleError, ProgramFailed, RetryAfter

ALL = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]


@pytest.mark.parametrize("error", ALL, ids=[one.__name__ for one in ALL])
def test_every_error_stands_in_the_tree_that_the_module_draws(error: type[Exception]) -> None:
    """The picture in the docstring is complete, and the depth is at most two below the base."""
    assert issubclass(error, FarandoleError)
    assert error.__name__ in (errors.__doc__ or "")
    assert len(error.__mro__) - len(FarandoleError.__mro__) <= 2


@pytest.mark.parametrize(
    "error", [ProgramFailed("gdalwarp", -9, "killed"), RetryAfter("30s", "busy"), errors.DecodeError("x")], ids=repr
)
def test_an_error_comes_back_whole_from_a_worker_process(error: FarandoleError) -> None:
    """Class, text and attributes survive the way between processes."""
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert back.__dict__ == error.__dict__
