"""The course in class: exercises that check themselves, and quizzes.

from classroom import q, quiz

q.units.check()
quiz("1_change_of_variables")
"""

from itertools import chain

from classroom.exercise import Exercises
from classroom.exercises import chapters
from classroom.question import quiz

__all__ = ["q", "quiz"]

q = Exercises(tuple(chain.from_iterable(chapters().values())))
