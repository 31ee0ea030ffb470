"""The Lab's programs: the course's own functions, compiled.

python -m lab.programs      write lab/programs.json
"""

import json
from pathlib import Path

import torch

import flows
from lab.bases import BASES, PYTHON
from lab.data import DATA, EXTENT, DataSet, entropy
from live import compile
from live.lab import bundle, compile_core, compile_kind

STORED = Path(__file__).parent / "programs.json"
COUPLINGS = {"affine": flows.AffineCoupling, "spline": flows.SplineCoupling}
FLOWS = {"affine": flows.RealNVP, "spline": flows.SplineFlow}  # what is made of them
WAVES = (0, 4)  # Fourier features that one may choose
NOISES = (0.5, 1.0, 1.5, 2.0)  # in shares of the data's own noise, likewise
TURNS = (0, 30, 45, 60, 90)  # degrees between the couplings, likewise


def coupling(name: str, flip: bool, n_frequencies: int):
    """The couplings of a flow, of any width."""
    return lambda width: COUPLINGS[name](2, width, flip, n_frequencies=n_frequencies)


def core_of(base: DataSet) -> dict:
    """What a training needs beside its layers, with this base distribution."""

    def log_prob(z, log_det):  # as in `flows.Flow.log_prob`, from the latent points on
        return base.log_prob(z) + log_det

    def loss(z, log_det):  # as in `flows.Trainer.step`
        return flows.careful_mean(-log_prob(z, log_det), 2)

    return compile_core(loss, log_prob, betas=flows.Trainer.ADAM["betas"]) | {
        "sample": sampler(base)
    }


def sampler(data: DataSet, *noise: float):
    """The program that draws points: of uniform and normal numbers, as many as one likes."""
    u, e = torch.linspace(0, 0.99, 202).reshape(101, 2), torch.linspace(-2, 2, 202).reshape(101, 2)
    return compile(data.sample, u, e, *noise, name="sample", dynamic=(0, 1))


def stored_kind(make) -> dict:
    """A kind of layer, as the file keeps it."""
    kind = compile_kind(make)
    return kind | {"programs": bundle.as_json(kind["programs"])}


def stored_data(data: DataSet) -> dict:
    """The two programs of a data set."""
    points = torch.linspace(-2, 2, 202).reshape(101, 2)
    exact = compile(data.log_prob, points, 1.5, name="logProb")
    return bundle.as_json({"sample": sampler(data, 1.5), "log_prob": exact})


def settings(names=tuple(DATA)) -> dict:
    """What the page has to know of the programs, and of these data sets."""
    turns = {}
    for degrees in TURNS[1:]:
        layer = flows.Linear(flows.rotation(float(degrees)))
        turns[str(degrees)] = [buffer.flatten().tolist() for _, buffer in layer.named_buffers()]
    data = {name: {"label": d.label, "noisy": d.noisy,
                   "entropy": {f"{noise:g}": round(entropy(d, noise), 5) for noise in NOISES}}
            for name, d in ((name, DATA[name]) for name in names)}  # fmt: skip
    bases = {name: {"label": base.label, "python": PYTHON[name]} for name, base in BASES.items()}
    made = {name: flow.__name__ for name, flow in FLOWS.items()}
    return {"data": data, "bases": bases, "couplings": made, "turns": turns, "waves": list(WAVES),
            "noises": list(NOISES), "extent": EXTENT}  # fmt: skip


KINDS = {
    f"{name}{n}{'flipped' if flip else ''}": coupling(name, flip, n)
    for name in COUPLINGS
    for n in WAVES
    for flip in (False, True)
} | {"turn": lambda width: flows.Linear(flows.rotation(45.0))}


def compile_all(kinds=tuple(KINDS), data=tuple(DATA)) -> dict:
    """All programs, or those of some kinds and data sets; and the settings."""
    cores = {name: bundle.as_json(core_of(base)) for name, base in BASES.items()}
    adam = cores["normal"]["adam"]  # the same for all
    return {
        "core": {"adam": adam},
        "bases": {n: {k: p for k, p in core.items() if k != "adam"} for n, core in cores.items()},
        "kinds": {name: stored_kind(KINDS[name]) for name in kinds},
        "data": {name: stored_data(DATA[name]) for name in data},
        "settings": settings(data),
    }


def stored() -> dict:
    """The programs of the file."""
    return json.loads(STORED.read_text(encoding="utf-8"))


if __name__ == "__main__":
    STORED.write_text(json.dumps(compile_all(), indent=1) + "\n", encoding="utf-8")
