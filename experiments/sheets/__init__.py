"""Sheets: experiments that an instructor can assign. See `classroom/GRADING.md`."""

from . import bridges, depth, ingredients, overfitting, radius, splines, strange, temperature
from .spec import POINTS, RUBRIC, Prediction, Question, Spec, Task, arm_name

__all__ = ["POINTS", "RUBRIC", "SHEETS", "Prediction", "Question", "Spec", "Task", "arm_name"]

SHEETS = {
    module.SPEC.name: module.SPEC
    for module in (
        depth,
        overfitting,
        bridges,
        ingredients,
        radius,
        temperature,
        strange,
        splines,
    )  # fmt: skip
}
