"""Fetches onnxruntime-web and TensorFlow.js, and exports the functions for them."""

import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.utils import _pytree as pytree

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks"
NPM = ["onnxruntime-web", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"]
PYPI = ["onnx", "onnxscript", "onnx_ir", "ml_dtypes", "protobuf"]
SCRIPTS = [
    "node_modules/onnxruntime-web/dist/ort.wasm.min.js",
    "node_modules/@tensorflow/tfjs/dist/tf.min.js",
    "node_modules/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js",
]


def fetch() -> None:
    """Install the rivals into the cache, once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules" / "onnxruntime-web").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix",
                        str(CACHE), *NPM], check=True)  # fmt: skip
    if not (CACHE / "python" / "onnx").exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target",
                        str(CACHE / "python"), *PYPI], check=True)  # fmt: skip
    sys.path.append(str(CACHE / "python"))


def export(name: str, function, arguments) -> float:
    """Write CACHE/name.onnx; returns the seconds it took."""
    leaves, structure = pytree.tree_flatten(list(arguments))
    from live.compiler.lower import HANDLERS
    from live.compiler.trace import trace

    def flat(*tensors):
        out = function(*pytree.tree_unflatten(list(tensors), structure))
        return pytree.tree_flatten(out)[0]

    graph = trace(flat, leaves, [False] * len(leaves), HANDLERS)  # gradients and all

    class Graph(torch.nn.Module):
        def forward(self, *tensors):
            return tuple(graph(*tensors))

    start = time.time()
    program = torch.onnx.export(Graph(), tuple(leaves), dynamo=True, verbose=False)
    program.save(CACHE / f"{name}.onnx", external_data=False)
    return time.time() - start


def plain(value):
    """Arguments as JSON."""
    return pytree.tree_map(
        lambda t: {"values": t.flatten().tolist(), "shape": list(t.shape)}, list(value)
    )
