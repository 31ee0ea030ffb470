"""The flows that are compared: one module a library, so that a missing one takes no other along.

Each module offers `ARMS`: name -> a function of the number of layers (None for the usual one) that
makes a `Model`. All affine flows have the layers and the width of the course's, all spline flows
likewise; what a library offers beyond (its own turns, say) it may use.
"""

import importlib
import importlib.metadata

# Library, as pip knows it -> the module that speaks to it. The course and the reference need none.
MODULES = {
    "": "course",
    "zuko": "with_zuko",
    "nflows": "with_nflows",
    "normflows": "with_normflows",
    "FrEIA": "with_freia",
}


def found() -> tuple[dict, dict[str, str], dict[str, str]]:
    """What can be compared here.

    Returns:
        The arms, name -> function that makes a model; the libraries, name -> version; and those
        that are left out, name -> why.

    Example:
        >>> "ours, spline" in found()[0]
        True
    """
    arms, versions, missing = {}, {}, {}
    for library, module in MODULES.items():
        try:
            arms |= importlib.import_module(f"{__name__}.{module}").ARMS
            if library:
                versions[library] = importlib.metadata.version(library)
        except ImportError as error:
            missing[library] = f"{type(error).__name__}: {error}"
    return arms, versions, missing
