"""The Lab in a notebook."""

import anywidget

from lab import page


class FlowLab(anywidget.AnyWidget):
    """The Flow Lab as a widget: see `flow_lab`."""

    _esm = page.module()
    _css = page.style()


def flow_lab() -> FlowLab:
    """The Flow Lab, in the output of a cell.

    Returns:
        The widget. It trains in the reader's browser; the kernel has nothing to do.

    Example:
        >>> type(flow_lab()).__name__
        'FlowLab'
    """
    return FlowLab()
