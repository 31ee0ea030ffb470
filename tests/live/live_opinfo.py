"""Torch's own samples of every operation, compiled, run in Node and compared with torch.

    PYTHONPATH=. python tests/live/live_opinfo.py --samples 6

Each sample ends as "right", "refused" (a CompileError), "wrong" or "raw" (any other error);
the last two are faults of the compiler.
"""

import argparse
import collections
import re
import sys
import warnings

import torch
from live_node import Node
from live_runner import largest_error
from torch.utils._pytree import tree_flatten, tree_unflatten

from live import CompileError, compile

TOLERANCE = 1e-4  # of float32; a sample may be ill-conditioned: then torch's float32 is asked too
# Their results are free to differ: random numbers, memory that nobody wrote, phases of vectors.
FREE = re.compile(r"empty|rand|normal|dropout|bernoulli|multinomial|geometric|cauchy|exponential|"
                  r"uniform|svd|eig|qr|lobpcg|pca_lowrank|poisson|rrelu|alpha_dropout|new_empty|"
                  r"sparse|jiterator|to_sparse|resize|lu|ldl|lstsq|householder|geqrf|"
                  r"ormqr")  # fmt: skip


def samples(count: int):
    """(name, function of tensors, tensors) of torch's samples, `count` of each operation."""
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        if FREE.search(info.name) or torch.float32 not in info.dtypes:
            continue
        try:
            found = []
            for sample in info.sample_inputs("cpu", torch.float32, requires_grad=False):
                found.append(sample)
                if len(found) == count:
                    break
        except Exception:  # a sample that this machine cannot make
            continue
        for k, sample in enumerate(found):
            leaves, structure = tree_flatten((sample.input, sample.args, sample.kwargs))
            places = [i for i, v in enumerate(leaves) if type(v) is torch.Tensor
                      and v.dtype == torch.float32 and v.layout == torch.strided]  # fmt: skip
            if not places:
                continue

            def function(*tensors, info=info, leaves=leaves, structure=structure, places=places):
                full = list(leaves)
                for i, t in zip(places, tensors, strict=True):
                    full[i] = t
                first, args, kwargs = tree_unflatten(full, structure)
                out = info(first, *args, **kwargs)
                return [v for v in tree_flatten(out)[0] if isinstance(v, torch.Tensor)]

            yield f"{info.name}{k or ''}", function, [leaves[i].detach() for i in places]


def judge(node, function, tensors) -> tuple[str, str]:
    """How a sample ends, and why."""
    copies = lambda dtype: [t.clone().to(dtype) for t in tensors]  # noqa: E731
    try:
        wanted = function(*copies(torch.float32))
    except Exception:
        return "skipped", "torch cannot"
    if not wanted or any(w.layout != torch.strided or w.is_complex() for w in wanted):
        return "skipped", "no plain tensors"
    try:
        program = compile(function, *tensors, dynamic=(), name="f")
    except CompileError as error:
        return ("refused", str(error)) if error.problem else ("raw", str(error))
    except Exception as error:
        return "raw", f"{type(error).__name__}: {error}"
    try:
        got = node.run(program, *tensors)
    except RuntimeError as error:
        return "raw", str(error)
    references = [wanted]
    try:
        exact = function(*copies(torch.float64))
        references.append([e if w.is_floating_point() else w
                           for w, e in zip(wanted, exact, strict=True)])  # fmt: skip
    except Exception:
        pass
    errors = []
    for reference in references:
        try:
            errors.append(largest_error(got, reference))
        except (AssertionError, ValueError) as error:
            errors.append(f"{error}")
    numbers = [e for e in errors if isinstance(e, float)]
    good = bool(numbers) and min(numbers) <= TOLERANCE
    return ("right", "") if good else ("wrong", str(errors[-1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--only", default="", help="a regular expression of names")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    node, count = Node(), collections.Counter()
    for name, function, tensors in samples(options.samples):
        if options.only and not re.search(options.only, name):
            continue
        verdict, why = judge(node, function, tensors)
        count[verdict] += 1
        if verdict in ("wrong", "raw"):
            print(verdict, name, why.replace("\n", " ")[:300], flush=True)
    node.close()
    print(dict(count))
    sys.exit(bool(count["wrong"] or count["raw"]))


if __name__ == "__main__":
    main()
