"""The course's own flows, and the reference chapter's."""

from benchmarks.reference import ReferenceFlow
from flows import RING_SHAPE, SPLINE_SHAPE, RealNVP, SplineFlow

from .model import Model


def as_model(flow) -> Model:
    return Model(flow, flow.log_prob, flow.sample)


def affine(layers: int | None = None) -> Model:
    """The flow of the training chapter."""
    return as_model(RealNVP(**RING_SHAPE | ({"n_layers": layers} if layers else {})))


def spline(layers: int | None = None) -> Model:
    """The flow of the chapter on sharper couplings."""
    return as_model(SplineFlow(**SPLINE_SHAPE | ({"n_layers": layers} if layers else {})))


def reference(layers: int | None = None) -> Model:
    """The flow of the reference chapter."""
    return as_model(ReferenceFlow(layers or 6))


ARMS = {"ours, affine": affine, "ours, spline": spline, "reference": reference}
