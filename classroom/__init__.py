"""The course in class: exercises that check themselves, and what an instructor needs."""
