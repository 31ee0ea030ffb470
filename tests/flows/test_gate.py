"""The gate: what torch or Python say of a wrong argument becomes an error that names it."""

import inspect
import pickle

import pytest
import torch

import flows
import flows_support


def t(*values) -> torch.Tensor:
    return torch.tensor(values)


def flow(**kwargs) -> flows.RealNVP:
    return flows.RealNVP(**{"dim": 2, "hidden_dim": 4, "n_layers": 2, **kwargs})


X = torch.zeros(4, 2)
TENSOR = "must be a floating-point tensor"
# what is called: the error, and its message
CASES = {
    "a number for points": (
        lambda: flows.Identity().decode(0.5), TypeError, f"Identity.decode: z {TENSOR}, but is 0.5",
    ),
    "a list for points": (
        lambda: flows.Tanh().encode([0.1, 0.2]), TypeError,
        f"Tanh.encode: x {TENSOR}, but is [0.1, 0.2]",
    ),
    "whole numbers for points": (
        lambda: flows.Sigmoid().decode(t(1, 2)), TypeError,
        f"Sigmoid.decode: z {TENSOR}, but is a torch.int64 tensor of shape (2,)",
    ),
    "complex points": (
        lambda: flows.Sigmoid().decode(t(1j)), TypeError,
        f"Sigmoid.decode: z {TENSOR}, but is a torch.complex64 tensor of shape (1,)",
    ),
    "nothing for points": (
        lambda: flows.standard_normal_log_prob([]), TypeError,
        f"standard_normal_log_prob: z {TENSOR}, but is []",
    ),
    "a text for a slope": (
        lambda: flows.Affine("2"), TypeError,
        "Affine: scale must be a number or a floating-point tensor, but is '2'",
    ),
    "the second of two": (
        lambda: flows.Planar([1.0, 0.5], "u"), TypeError, f"Planar: u {TENSOR}, but is 'u'",
    ),
    "a list where torch makes no tensor of it": (
        lambda: flows.planar(X, [1.0, 0.0], torch.zeros(2), 0.0), TypeError,
        f"planar: w {TENSOR}, but is [1.0, 0.0]",
    ),
    "one of several factors": (
        lambda: flows.scaling(1.0, None), TypeError,
        "scaling: factors must be a number, but is None",
    ),
    "half a dimension": (
        lambda: flows.rotation(30.0, 2.5), TypeError,
        "rotation: dim must be a whole number, but is 2.5",
    ),
    "no flow": (
        lambda: flows.Trainer(None, flows.resample(X)), TypeError,
        "Trainer: flow must be a Module, but is None",
    ),
    "a number for a file": (
        lambda: flows.train(flow(), flows.resample(X), steps=1, checkpoint=3), TypeError,
        "train: checkpoint must be a text or a path, but is 3",
    ),
    "no batch": (
        lambda: flows.mean_nll(flow(), None), TypeError,
        f"point_nll: batch {TENSOR} or a tuple, but is None",
    ),
    "a number for held-out points": (
        lambda: flows.leave_gradient(flow(), None, 5.0, 3), TypeError,
        f"point_nll: batch {TENSOR} or a tuple, but is 3",
    ),
    "no list": (
        lambda: flows.walk(3, X), TypeError, "walk: maps must be a list, but is 3",
    ),
    "shapes that do not go together": (
        lambda: flows.planar(X, torch.zeros(3), torch.zeros(3), 0.0), ValueError,
        "planar cannot take z = a torch.float32 tensor of shape (4, 2), w = a torch.float32 tensor "
        "of shape (3,), u = a torch.float32 tensor of shape (3,), b = 0.0: size mismatch, ...",
    ),
    "a number beyond floats": (
        lambda: flows.shear(10**400), ValueError, "shear cannot take amount = 1000...",
    ),
    "the same, through torch.no_grad": (
        lambda: flow().sample(4, temperature=10**400), ValueError,
        "Flow.sample cannot take n = 4, temperature = 1000...",
    ),
    "too many points": (
        lambda: flow().sample(10**12), ValueError,
        "n must be at most 100000000, but is 1000000000000",
    ),
    "too many layers, by place": (
        lambda: flows.RealNVP(2, 4, 10**12), ValueError,
        "n_layers must be at most 10000, but is 1000000000000",
    ),
    "a curve without end": (
        lambda: flows.solve_planar(X[:, 0], torch.tensor(1.0), 10**12), ValueError,
        "bisections must be at most 10000, but is 1000000000000",
    ),
    "a division by nothing": (
        lambda: flows.radial(X, torch.zeros(2), 0, 1.0), ValueError, "radial cannot take z = ...",
    ),
    "what a method is given, and not the object": (
        lambda: flows.AffineCoupling(2, 4).decode(X, torch.ones(4, 3)), ValueError,
        "Conditioner.raw cannot take kept = a torch.float32 tensor of shape (4, 1), context = a "
        "torch.float32 tensor of shape (4, 3): ...",
    ),
    "weights of another flow": (
        lambda: flows_support.from_eight_bits(flow(), 3), TypeError,
        "from_eight_bits: packed must be a dictionary, but is 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", CASES)
def test_the_argument_is_named(label):
    call, kind, words = CASES[label]
    with pytest.raises(kind) as caught:
        call()
    said = (
        str(caught.value)[: len(words) - 3] + "..." if words.endswith("...") else str(caught.value)
    )
    assert type(caught.value) is kind and said == words, caught.value


def test_what_was_said_first_stays_beside_it():
    with pytest.raises(ValueError, match="cannot take value = 0: math domain error") as caught:
        flows.log_abs(0)
    assert "math domain error" in str(caught.value.__cause__)


def fails(*_):
    raise RuntimeError("mine")


def wrong(*_):
    return torch.zeros(2) @ torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: flows.Coupling(fails).decode(X), RuntimeError, "^mine$"),
        (lambda: flows.Coupling(wrong).decode(X), RuntimeError, "inconsistent tensor size"),
        (lambda: flows.Trainer(flow(), fails).step(), RuntimeError, "^mine$"),
        (lambda: flows.train(flow(), wrong, lr=-1.0), ValueError, "^lr must be a finite"),
        (lambda: flows.Coupling(lambda a: a).decode(X), TypeError, r"takes 1 positional argument"),
        (lambda: flows.RealNVP(depth=3), TypeError, "unexpected keyword argument 'depth'"),
        (lambda: flows.Tanh().decode(), TypeError, "missing 1 required positional argument: 'z'"),
        (lambda: flows.Transform().encode(X), NotImplementedError, "does not define encode"),
        (lambda: torch.func.vmap(flows.resample)(X[None]), RuntimeError, "vmap"),
    ],
)
def test_what_is_clear_or_not_ours_passes(call, kind, words):
    with pytest.raises(kind, match=words) as caught:
        call()
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA error: out of memory"), torch.OutOfMemoryError("no room"),
              OSError("disk full")],
)  # fmt: skip
def test_what_is_about_the_machine_passes(error):
    @flows_support.gated
    def broken(x: torch.Tensor):
        (_ for _ in ()).throw(error)  # as torch raises: by no `raise` of ours

    with pytest.raises(type(error)) as caught:
        broken(3)
    assert caught.value is error


def test_else_it_would_not():
    @flows_support.gated
    def broken(x: torch.Tensor):
        (_ for _ in ()).throw(RuntimeError("size mismatch"))

    with pytest.raises(TypeError, match="broken: x must be a floating-point tensor, but is 3"):
        broken(3)


def test_a_function_is_what_it_was():
    """Its text, its name and its place: for pickles, help and the evidence of the studies."""
    assert inspect.getsource(flows.planar).startswith("def planar(")
    assert "context" in inspect.signature(flows.Tanh.decode).parameters
    assert pickle.loads(pickle.dumps(flows.planar)) is flows.planar
    for name in flows.__all__:
        thing = getattr(flows, name)
        if inspect.isfunction(thing):
            assert inspect.unwrap(thing) is not thing and thing.__module__ == "flows", name
        elif inspect.isclass(thing) and thing is not flows.History:
            made = vars(thing).get("__init__") or vars(thing)["decode"]
            assert inspect.unwrap(made) is not made, name
    same = flows.standard_normal_log_prob(X)
    assert torch.equal(same, inspect.unwrap(flows.standard_normal_log_prob)(X))
