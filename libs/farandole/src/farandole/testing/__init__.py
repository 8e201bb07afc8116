"""Rehearsals of whole choreographies, the faults that befall them, and checks of what a log then holds."""

from farandole.testing.bodies import with_bodies
from farandole.testing.faults import Faults
from farandole.testing.history import History
from farandole.testing.invariants import INVARIANTS, check
from farandole.testing.rehearsal import Absent, NeverSettles, Rehearsal

__all__ = ["INVARIANTS", "Absent", "Faults", "History", "NeverSettles", "Rehearsal", "check", "with_bodies"]
