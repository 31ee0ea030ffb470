"""What the sheets train and measure: one function a sheet, `run(settings, seeds) -> rows`.

The settings hold the student's ring (`modes`, `radius`, `std`) and the sheet's own choices. All
seeds of a run are trained side by side, so a run costs little more than its slowest seed.
"""

from types import SimpleNamespace

import torch
from torch import Tensor

import gen_models_utilities as gmu
from experiments.studies.bridges import BasedFlow
from experiments.studies.common import lowest_on_bridges, movement, real_nvp
from experiments.together import careful_nll, train_seeds
from flows import RealNVP, SplineFlow, mean_nll, resample

BATCH, LR = 256, 1e-2
N = 8_000  # points that judge


def ring(settings: dict) -> dict:
    """The student's ring, as `gmu` takes it."""
    names = {"n_modes": "modes", "radius": "radius", "cluster_std": "std"}
    return {name: settings[key] for name, key in names.items()}


def fresh(settings: dict):
    """Draws new points of the ring at each step."""
    shape = ring(settings)
    return lambda n, generator: gmu.sample_ring(n, generator, **shape)[0]


@torch.no_grad()
def gap_on(x: Tensor, flow, settings: dict) -> float:
    """NLL of a flow less the true density's on the same points, nats."""
    true = gmu.ring_log_prob(x.double(), **ring(settings)).mean()
    return mean_nll(flow, x).item() + true.item()


def gap(flow, settings: dict) -> float:
    """Gap on points that no training has seen."""
    return gap_on(gmu.held_out_ring(N, **ring(settings))[0], flow, settings)


def trained(make_flow, draw, seeds, **options) -> list:
    """The flows, one for each seed, with the sheets' batch and rate unless others are named."""
    return train_seeds(make_flow, draw, seeds, **{"batch_size": BATCH, "lr": LR} | options)


def depth(settings: dict, seeds: list[int]) -> list[dict]:
    """Couplings without turns, 120 steps for every depth and width."""
    shape = {"n_layers": settings["layers"], "hidden_dim": settings["width"], "n_frequencies": 4}
    flows = trained(real_nvp(**shape), fresh(settings), seeds, steps=120)
    return [
        {"gap": gap(flow, settings), "path_ratio": movement(flow)["path_ratio"]} for flow in flows
    ]


def overfitting(settings: dict, seeds: list[int]) -> list[dict]:
    """Eight layers on so many fixed points; each seed has points of its own."""
    sets = {
        seed: gmu.sample_ring(
            settings["points"], torch.Generator().manual_seed(seed), **ring(settings)
        )[0]
        for seed in seeds
    }
    draws = {seed: resample(points) for seed, points in sets.items()}
    course: list[list[float]] = []
    chosen = gmu.held_out_ring(2_000, seed=1, **ring(settings))[0]

    def watch(step, flows):
        course.append([gap_on(chosen, flow, settings) for flow in flows])

    shape = {"n_layers": 8, "hidden_dim": 64, "n_frequencies": 4}
    steps = settings["steps"]
    flows = trained(
        real_nvp(**shape), lambda n, generator: draws[generator.initial_seed()](n, generator),
        seeds, steps=steps, watch=watch, every=steps // 10,
    )  # fmt: skip
    rows = []
    for k, (seed, flow) in enumerate(zip(seeds, flows, strict=True)):
        own = gap_on(sets[seed], flow, settings)
        lowest = min(now[k] for now in course)
        rows.append({"gap": gap(flow, settings), "own_gap": own, "lowest_gap": lowest})
    return rows


def strays(x: Tensor, settings: dict) -> float:
    """Share of points farther than four standard deviations from every mode."""
    return gmu.beyond_sigma_share(x, 4.0, **ring(settings))


def bridges(settings: dict, seeds: list[int]) -> list[dict]:
    """Two bases at several depths, 200 steps each."""
    shape = {"n_layers": settings["layers"], "hidden_dim": 32, "n_frequencies": 4, "turn": 45.0}
    flows = trained(lambda: BasedFlow(settings["base"], **shape), fresh(settings), seeds, steps=200)
    rows = []
    for flow in flows:
        with torch.no_grad():
            samples = flow.decode(flow.base_sample(N, torch.Generator().manual_seed(0)))[0]
        rows.append({
            "gap": gap(flow, settings), "strays": strays(samples, settings),
            "bridge_log_p": lowest_on_bridges(flow, 500, settings["modes"], settings["radius"]),
        })  # fmt: skip
    return rows


COUPLINGS = {"affine": {"few": 3, "many": 6}, "spline": {"few": 2, "many": 4}}


def coupled(kind: str, weights: str):
    """Makes flows of affine or of spline couplings, of about as many weights."""
    shape = {"n_layers": COUPLINGS[kind][weights], "hidden_dim": 32, "n_frequencies": 4}
    return real_nvp(**shape) if kind == "affine" else lambda: SplineFlow(**shape, n_bins=8)


def splines(settings: dict, seeds: list[int]) -> list[dict]:
    """Couplings of two kinds at equal numbers of weights, 200 steps each."""
    make_flow = coupled(settings["kind"], settings["weights"])
    rows = []
    for flow in trained(make_flow, fresh(settings), seeds, steps=200):
        with torch.no_grad():
            samples = flow.sample(N, generator=torch.Generator().manual_seed(0))
        rows.append({"gap": gap(flow, settings), "strays": strays(samples, settings)})
    return rows


WHOLE = {
    "clip": 5.0, "safe": True, "schedule": True, "n_frequencies": 4, "turn": 45.0, "points": None,
}  # fmt: skip
WITHOUT = {
    "nothing": {},
    "schedule": {"schedule": False},
    "Fourier features": {"n_frequencies": 0},
    "turns": {"turn": 0.0},
    "fresh points": {"points": 500},
    "safety": {"safe": False, "clip": 1e9},
}


def ingredients(settings: dict, seeds: list[int]) -> list[dict]:
    """Eight layers, 150 steps, with one ingredient of the recipe left out."""
    chosen = WHOLE | WITHOUT[settings["without"]]
    points = chosen.pop("points")
    shape = {name: chosen.pop(name) for name in ("n_frequencies", "turn")}
    draw = fresh(settings)
    if points is not None:
        generator = torch.Generator().manual_seed(0)
        draw = resample(gmu.sample_ring(points, generator, **ring(settings))[0])
    loss = careful_nll if chosen["safe"] else mean_nll
    make_flow = real_nvp(n_layers=8, hidden_dim=32, **shape)
    flows = trained(make_flow, draw, seeds, steps=150, loss=loss, **chosen)
    return [{"gap": gap(flow, settings)} for flow in flows]


HIDDEN = {"nothing": 0.0, "a gap inside": 0.4, "the outer end": 0.6}


def radii(hidden: str):
    """Draws radii as factors of the student's ring, from 0.6 to 1.4, less those that are hidden."""

    def draw(n, generator):
        u = torch.rand(n, generator=generator)
        if hidden == "a gap inside":  # 0.9 to 1.1 is missing
            factor = 0.6 + 0.6 * u
            return torch.where(factor > 0.9, factor + 0.2, factor)
        return 0.6 + (0.5 if hidden == "the outer end" else 0.8) * u

    return draw


def radius(settings: dict, seeds: list[int]) -> list[dict]:
    """A conditional flow of rings, judged at three radii: seen, between, and beyond."""
    factors, shape = radii(settings["hidden"]), ring(settings)

    def draw(n, generator):
        factor = factors(n, generator)
        own = shape | {"radius": shape["radius"] * factor}
        return gmu.sample_ring(n, generator, **own)[0], (factor[:, None] - 1) / 0.4

    flow_shape = {"n_layers": 8, "hidden_dim": 32, "n_frequencies": 4, "turn": 45.0}
    flows = trained(lambda: RealNVP(dim=2, context_dim=1, **flow_shape), draw, seeds, steps=200)
    rows = []
    for flow in flows:
        row = {}
        for name, factor in {"seen": 0.75, "between": 1.0, "beyond": 1.35}.items():
            here = settings | {"radius": settings["radius"] * factor}
            x = gmu.held_out_ring(N, **ring(here))[0]
            context = torch.full((N, 1), (factor - 1) / 0.4)
            with torch.no_grad():
                true = gmu.ring_log_prob(x.double(), **ring(here)).mean().item()
                row[f"gap {name}"] = true - flow.log_prob(x, context).mean().item()
        rows.append(row)
    return rows


LAST = SimpleNamespace(key="", flows=[])  # the flows that were trained last


def flows_of(settings: dict, seeds: list[int]) -> list:
    """Eight couplings, 200 steps: sheets that only look at a flow train it once for all arms."""
    key = f"{ring(settings)}, {seeds}"
    if key != LAST.key:
        shape = {"n_layers": 8, "hidden_dim": 32, "n_frequencies": 4, "turn": 45.0}
        LAST.flows = trained(real_nvp(**shape), fresh(settings), seeds, steps=200)
        LAST.key = key
    return LAST.flows


def temperature(settings: dict, seeds: list[int]) -> list[dict]:
    """One flow a seed; its samples at a temperature."""
    rows = []
    for flow in flows_of(settings, seeds):
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            x = flow.sample(N, generator=generator, temperature=settings["temperature"])
        shares = gmu.mode_shares(x, settings["modes"], settings["radius"])
        log_p = gmu.ring_log_prob(x.double(), **ring(settings)).mean().item()
        rows.append({
            "strays": strays(x, settings), "smallest_share": float(shares.min()), "log_p": log_p,
        })  # fmt: skip
    return rows


STRANGE = ("the true ring", "the modes' centres", "between the modes", "a larger ring")


def strange_points(kind: str, settings: dict, n: int = 4_000) -> Tensor:
    """Points that are, or are not, of the ring."""
    generator = torch.Generator().manual_seed(12345)
    shape = ring(settings)
    if kind == "the modes' centres":
        shape |= {"cluster_std": 0.2 * shape["cluster_std"]}
    elif kind == "a larger ring":
        shape |= {"radius": shape["radius"] + 6 * shape["cluster_std"]}
    x = gmu.sample_ring(n, generator, **shape)[0]
    if kind == "between the modes":
        half = torch.tensor(torch.pi / settings["modes"])
        turn = torch.stack([half.cos(), -half.sin(), half.sin(), half.cos()]).view(2, 2)
        x = x @ turn.T
    return x


def strange(settings: dict, seeds: list[int]) -> list[dict]:
    """How likely a flow of the ring finds points from elsewhere."""
    flows = flows_of(settings, seeds)
    known = gmu.held_out_ring(N, **ring(settings))[0]
    x, rows = strange_points(settings["data"], settings), []
    for flow in flows:
        with torch.no_grad():
            own, other = flow.log_prob(known), flow.log_prob(x)
        above = (other[:, None] > own[None, :2_000]).double().mean().item()
        rows.append({
            "log_p": other.mean().item(),
            "ranked_above": above,  # a pair of one of each: the strange one seems likelier
            "atypical": abs(other.mean().item() - own.mean().item()),
        })  # fmt: skip
    return rows
