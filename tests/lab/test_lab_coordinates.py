"""Points with any number of coordinates are trained as in torch, in float64."""

import pytest
import torch
from lab_node import LISTEN, far_from_identity, largest, plain, torch_run, weights_of
from live_node import Script
from samples import ALL_TESTS, some_of
from torch import nn

import flows
from live import compile
from live.lab import bundle, compile_core, compile_kind

EPS = torch.finfo(torch.float32).eps
WIDTH, COUNT = 16, 50  # of the networks; points of a batch
BOUND = 5.0  # of the splines, as in flows.SplineCoupling
SERVER = """
const programs = PROGRAMS;
const floats = (numbers) => Float32Array.from(numbers);
const tasks = {
  // Both ways of a chain, its gradients, and a training on given batches.
  all({ layers, weights, points, batches, settings }) {
    const chain = new Chain(programs, { layers, width: WIDTH, base: "normal" });
    chain.load(floats(weights));
    const [loss, gradient] = chain.gradient(floats(points)), kept = gradient.slice();
    const [z, logDet] = chain.encode(floats(points)), [ways, logDets] = chain.decodeSteps(floats(points));
    const back = logDets.reduce((sum, d) => sum.map((v, k) => v + d[k]));
    const forth = [[loss], kept, z, logDet, chain.logProb(floats(points)), ways.at(-1), back];
    let k = 0;
    const training = new Training(chain, () => floats(batches[k++]), settings);
    chain.load(floats(weights));
    const losses = batches.map(() => training.step());
    return [...forth, chain.weights, losses];
  },
  // Points drawn from a fixed set.
  batch: ({ points, dim, n }) => [resample(floats(points), dim)(new Random(3), n)],
  // What the worker shows of a chain: log-densities, and samples on their way from the base.
  worker({ layers, weights, points }) {
    const said = [], take = makeWorkshop(programs, (answer) => said.push(answer), () => {});
    const model = { layers, width: WIDTH, base: "normal" };
    const wanted = { p: ["logProb", floats(points)], way: ["samples", { seed: 1, count: 7 }] };
    take({ do: "view", id: 1, model, weights: floats(weights), wanted });
    const { p, way } = said[0].made;
    return [p, way[0], way.at(-1)];
  },
};
"""  # noqa: E501


class Scaled(nn.Module):
    """z = x exp(a) + b, for each coordinate."""

    def __init__(self, dim):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.zeros(dim)) for _ in "ab")

    def encode(self, x):
        return x * torch.exp(self.a) + self.b, 0 * x[:, 0] + self.a.sum()

    def decode(self, z):
        return (z - self.b) * torch.exp(-self.a), 0 * z[:, 0] - self.a.sum()


class Bent(nn.Module):
    """Each coordinate along a spline of its own, of three bins."""

    def __init__(self, dim):
        super().__init__()
        self.free = nn.Parameter(torch.zeros(dim, 8))

    def bend(self, x, back):
        free = self.free + 0 * x[:, :, None]
        bent, log_slope = flows.spline(x, flows.spline_knots(free, BOUND), back)
        return bent, log_slope.sum(dim=1)

    def encode(self, x):
        return self.bend(x, back=False)

    def decode(self, z):
        return self.bend(z, back=True)


def kinds_of(dim):
    """Kinds of layers, by name: functions of a width."""
    if dim == 1:  # (a coupling needs two)
        return {"scaled": lambda width: Scaled(dim), "bent": lambda width: Bent(dim)}
    affine = lambda width: flows.AffineCoupling(dim, width, flip=dim == 5)  # noqa: E731
    spline = lambda width: flows.SplineCoupling(dim, width, flip=dim == 3, n_bins=4)  # noqa: E731
    # (Splines take long to compile: three coordinates stand for five.)
    return {"affine": affine} | ({"spline": spline} if dim == 3 or ALL_TESTS else {})


def log_prob(z, log_det):
    return flows.standard_normal_log_prob(z).sum(dim=1) + log_det


@pytest.fixture(scope="module", params=some_of([3, 1, 5]))
def room(request):
    """A number of coordinates, the kinds of layers, and a process that trains chains of them."""
    dim, kinds = request.param, kinds_of(request.param)
    made = {name: compile_kind(make, dim) for name, make in kinds.items()}
    kept = {n: kind | {"programs": bundle.as_json(kind["programs"])} for n, kind in made.items()}
    core = compile_core(
        lambda z, log_det: flows.careful_mean(-log_prob(z, log_det), dim),
        log_prob, betas=flows.Trainer.ADAM["betas"], dim=dim,
    )  # fmt: skip
    points = torch.linspace(-2, 2, 101 * dim).reshape(101, dim)
    core["sample"] = compile(lambda u, e: e + 0 * u, points, points, name="sample", dynamic=(0, 1))
    stored = {"core": bundle.as_json(core), "kinds": kept, "data": {}, "dim": dim}
    server = SERVER.replace("PROGRAMS", bundle.written(stored)).replace("WIDTH", str(WIDTH))
    script = Script(f"{bundle.parts()}\n{server}\n{LISTEN}")
    yield dim, kinds, script
    script.close()


class Torch(nn.Module):
    """The same chain as `flows.Flow` makes of layers that are transforms of the course."""

    def __init__(self, layers, dim):
        super().__init__()
        self.layers, self.dim = nn.ModuleList(layers), dim

    def walk(self, way, layers, points):
        total = 0
        for layer in layers:
            points, log_det = getattr(layer, way)(points)
            total = total + log_det
        return points, total

    def encode(self, x):
        return self.walk("encode", reversed(self.layers), x)

    def decode(self, z):
        return self.walk("decode", self.layers, z)

    def log_prob(self, x):
        return log_prob(*self.encode(x))


@pytest.fixture(scope="module")
def both(room):
    """What the page's scripts made of a chain of each kind twice, and the same flow in torch."""
    dim, kinds, script = room
    names = [name for name in kinds for _ in range(2)]
    flow = Torch([kinds[name](WIDTH) for name in names], dim)
    far_from_identity(flow)
    points = 2 * torch.randn(COUNT, dim)
    batches = [2 * torch.randn(COUNT, dim) for _ in range(12)]
    batches[3][0] = 60.0  # far out: counts by its logarithm
    settings = {"steps": 12, "clip": 0.7, "schedule": True, "batch": COUNT, "seed": 0,
                "rates": [[0, 2e-3], [7, 5e-4]]}  # fmt: skip
    sent = {"layers": [{"kind": name} for name in names], "weights": plain(weights_of(flow)),
            "points": plain(points)}  # fmt: skip
    more = {"batches": plain(batches), "settings": settings}
    got = script.ask({"task": "all", **sent, **more})
    shown = script.ask({"task": "worker", **sent})
    tensors = [[torch.tensor(v, dtype=torch.float64) for v in part] for part in (got, shown)]
    return *tensors, flow.double(), points.double(), batches, settings


def test_values_and_gradients_are_torchs(both, room):
    (loss, gradient, z, log_det, log_p, x, back, *_), _, flow, points, *_ = both
    wanted = flows.careful_mean(-flow.log_prob(points), room[0])
    (slopes,) = [torch.autograd.grad(wanted, list(flow.parameters()))]
    assert largest(loss, wanted.detach().reshape(1)) < 50 * EPS
    assert largest(gradient, torch.cat([g.flatten() for g in slopes])) < 50 * EPS
    with torch.no_grad():
        for got, made in (((z, log_det), flow.encode(points)), ((x, back), flow.decode(points))):
            assert largest(got[0], made[0].flatten()) < 50 * EPS
            assert largest(got[1], made[1]) < 50 * EPS
        assert largest(log_p, flow.log_prob(points)) < 50 * EPS
    assert log_det.std() > 0.01, "the layers do something else to each point"


def test_what_the_worker_shows_is_torchs(both, room):
    _, (log_p, drawn, samples), flow, points, *_ = both
    with torch.no_grad():
        assert largest(log_p, flow.log_prob(points)) < 50 * EPS
        assert drawn.shape == (7 * room[0],) and len(set(drawn.tolist())) == 7 * room[0]
        wanted = flow.decode(drawn.reshape(7, -1))[0]
        assert largest(samples, wanted.flatten()) < 50 * EPS


def test_steps_are_torchs(both):
    (*_, weights, losses), _, flow, _, batches, settings = both
    before = weights_of(flow)
    wanted = torch_run(flow, batches, settings)
    assert largest(losses, wanted) < 100 * EPS * wanted.max()
    moved = (weights_of(flow) - weights).abs()
    assert moved.mean() < 100 * EPS and moved.max() < 1e-4  # (Adam's first steps see only the sign)
    assert (before - weights).abs().max() > 1e-3, "they moved"


def test_batches_are_whole_points(room):
    dim, _, script = room
    points = torch.arange(9.0 * dim).reshape(9, dim)
    batch = torch.tensor(
        script.ask({"task": "batch", "points": plain(points), "dim": dim, "n": 200})[0]
    ).reshape(200, dim)
    assert {tuple(row) for row in batch.tolist()} == {tuple(row) for row in points.tolist()}
