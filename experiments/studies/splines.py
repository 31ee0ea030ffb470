"""Spline couplings, affine ones of the same shape, and affine ones of as many weights."""

from experiments.study import Study
from flows import RING_RECIPE, RING_SHAPE, SPLINE_RECIPE, SPLINE_SHAPE, SplineFlow

from .common import fit, log_density_shares, lowest_on_bridges, real_nvp, ring


def run(settings: dict, seeds: list[int]) -> list[dict]:
    """Train flows of this kind and shape; gap, strays, bridges."""
    shape = settings["shape"]
    make_flow = (lambda: SplineFlow(**shape)) if settings["spline"] else real_nvp(**shape)
    training = {key: settings[key] for key in ("steps", "batch_size", "lr")}
    rows = []
    for flow in fit(make_flow, ring, seeds, **training):
        found = log_density_shares(flow)
        weights = sum(weight.numel() for weight in flow.parameters())
        kept = {key: found[key] for key in ("gap", "smallest_share", "strays_3", "strays_4")}
        rows.append(kept | {"lowest_log_p": lowest_on_bridges(flow), "weights": weights})
    return rows


def arm(spline: bool, shape: dict, steps: int) -> dict:
    """Settings of an arm."""
    size = {"steps": steps, "batch_size": RING_RECIPE["batch_size"]}
    return {"spline": spline, "shape": shape} | size


STEPS = RING_RECIPE["steps"]
SAME_SHAPE = {key: value for key, value in SPLINE_SHAPE.items() if key != "n_bins"}
STUDY = Study(
    name="splines",
    question="What do spline couplings bring, layer for layer and weight for weight?",
    run=run,
    arms={
        "affine, 4 couplings": arm(False, SAME_SHAPE, STEPS),
        "affine, 16 couplings": arm(False, RING_SHAPE, STEPS),
        "spline, 4 couplings": arm(True, SPLINE_SHAPE, STEPS),
        "spline, 4 couplings, short": arm(True, SPLINE_SHAPE, SPLINE_RECIPE["steps"]),
    },
    rates=(2.5e-3, 5e-3, 1e-2, 2e-2),
    together=7,
)
