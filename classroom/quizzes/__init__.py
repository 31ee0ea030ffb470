"""The questions of each chapter's quiz: a module for each chapter, named after its notebook.

A number in a question is set once, and the answer is computed from it: by the course's functions
where it is right, by the slip itself where it is wrong.
"""
