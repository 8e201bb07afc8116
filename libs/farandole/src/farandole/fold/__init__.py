"""The fold of manifests, inputs and facts into topology and workflow state; pure: no I/O, no clock."""

from farandole.fold.canonical import canonical
from farandole.fold.checks import Problem, check_groups, check_types
from farandole.fold.fold import Fold
from farandole.fold.left import Left, LeftKind
from farandole.fold.missing import End, Missing
from farandole.fold.topology import StepInfo, Topology
from farandole.fold.view import EventView, StepCount, Summary, WorkflowState
from farandole.fold.workflow import Status

__all__ = [
    "End",
    "EventView",
    "Fold",
    "Left",
    "LeftKind",
    "Missing",
    "Problem",
    "Status",
    "StepCount",
    "StepInfo",
    "Summary",
    "Topology",
    "WorkflowState",
    "canonical",
    "check_groups",
    "check_types",
]
