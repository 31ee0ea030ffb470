"""Fixtures of the tests of live figures: compiled functions in Node, and in a browser."""

from live_canvas import canvas  # noqa: F401
from live_node import node  # noqa: F401
from live_runner import runner  # noqa: F401
