"""The landing page's figure: the flow that chapter 5 trained, from the Gaussian to the ring.

    python tools/hero.py     write intro.live.json and theme/static/hero.png

The weights are those stored in the chapter's own live figure; nothing is trained here.
"""

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
import safely
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import flows  # noqa: E402
import flows_support  # noqa: E402
import gen_models_utilities as gmu  # noqa: E402
import live  # noqa: E402
from live.figure.reference import reference  # noqa: E402

CHAPTER = ROOT / "chapters" / "5_training.ipynb"
PAGE = ROOT / "intro.live.json"  # live.page.site looks for it beside intro.md
PICTURE = ROOT / "theme" / "static" / "hero.png"
STATE = "application/vnd.jupyter.widget-state+json"
KINDS = {"Int32Array": "<i4", "Float32Array": "<f4", "Float16": "<f2", "Uint8Array": "u1"}
COLORS = ["blue", "amber", "green", "orange", "pink", "brown", "purple", "sky"]  # of the modes


def new_flow() -> flows.RealNVP:
    """A flow of the shape that chapter 5 trains."""
    return flows.RealNVP(2, **flows.RING_SHAPE)


def stored_checkpoints(chapter: Path = CHAPTER) -> tuple[np.ndarray, np.ndarray]:
    """The packed weights in the chapter's live figure: words (m, n / 4) and scales (m, rows)."""
    parameters = list(new_flow().parameters())
    n = sum(p.numel() for p in parameters)
    rows = sum(p[..., :1].numel() for p in parameters)
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    for model in notebook["metadata"].get("widgets", {})[STATE]["state"].values():
        entries = model["state"].get("data", {}).values()
        arrays = [np.frombuffer(base64.b64decode(e["values"]), KINDS[e["kind"]]) for e in entries]
        for words in (a for a in arrays if a.dtype == "<i4" and a.size % (n // 4) == 0 < a.size):
            m = 4 * words.size // n
            for scales in (a for a in arrays if a.dtype.kind == "f" and a.size == m * rows):
                return words.reshape(m, -1), scales.reshape(m, -1)
    raise SystemExit(f"{chapter.name} holds no live figure with the weights of checkpoints")


def trained_flow(checkpoint: int = -1) -> flows.RealNVP:
    """The flow of a checkpoint; the last one is the finished flow."""
    words, scales = stored_checkpoints()
    numbers = torch.from_numpy(words[checkpoint].view(np.int8).copy())  # four bytes a word
    scale = torch.from_numpy(scales[checkpoint].astype(np.float32))
    flow, packed = new_flow(), {}
    for name, value in flow.named_parameters():
        n, rows = value.numel(), value[..., :1].numel()
        packed[name] = numbers[:n].reshape(value.shape), scale[:rows].reshape(*value.shape[:-1], 1)
        numbers, scale = numbers[n:], scale[rows:]
    flows_support.from_eight_bits(flow, packed)
    return flow


@torch.no_grad()
def hero(flow: flows.RealNVP | None = None):
    """The live figure: samples and their density on the way through the couplings.

    A point of the noise can be dragged; its own way through the couplings is drawn. The fixed turns
    between the couplings are drawn as turns of the paper, so only the couplings move anything.
    """
    flow = trained_flow() if flow is None else flow
    for parameter in flow.parameters():
        parameter.copy_(parameter.half())  # half of the bytes on the page
    z = torch.randn(700, 2, generator=torch.Generator().manual_seed(0)).half().float()
    end = gmu.nearest_mode(flow.decode(z)[0])
    z = z[end.argsort(stable=True)]  # sorted by the mode that each point ends nearest to
    sizes = torch.bincount(end, minlength=8).tolist()
    n_turns = sum(isinstance(layer, flows.Linear) for layer in flow.layers)
    # Rounded: what is 0 would be 1e-15 or so, on each machine another.
    powers = [torch.matrix_power(flows.rotation(45.0), k) for k in range(n_turns + 1)]
    turns = [(power.round(decimals=12) + 0.0).float().T for power in powers]  # (nor -0)
    left = [n_turns, *range(n_turns, -1, -1)]  # turns still to come: before, after each coupling
    side = torch.linspace(-4.2, 4.2, 57)
    pixels = torch.cartesian_prod(side, side).flip(1)  # x1 runs fastest
    densities = [flows.standard_normal_log_prob(pixels).sum(dim=1)]
    for i, k in enumerate(left[1:]):
        so_far = flows.Flow(flow.layers[: 2 * i + 1], dim=2)
        densities.append(so_far.log_prob(pixels @ turns[k].T))
    densities = (256 * torch.stack(densities).exp()).round().reshape(-1, 57, 57) / 256

    def frames_of(z):
        """The points before the couplings and after each; and the log-dets of all layers."""
        values, log_dets = flow.decode_steps(z)
        values = [values[0], *values[1::2]]  # turns lie between
        paper = [v @ turns[k] for v, k in zip(values, left, strict=True)]
        return torch.stack(paper), log_dets[::2]

    def scene(couplings, z1, z2):
        frames, _ = frames_of(z)
        k = torch.clamp(couplings.floor(), max=n_turns).long()
        now = torch.lerp(frames[k], frames[k + 1], couplings - k)
        modes = {f"m{m}": part for m, part in enumerate(now.split(sizes))}
        nearest = (couplings + 0.5).floor()
        start = torch.stack([z1, z2])[None] @ turns[-1].T  # (z1, z2) is where it is drawn
        way, log_dets = frames_of(start)
        here = torch.lerp(way[k], way[k + 1], couplings - k)
        done = torch.arange(n_turns + 2) <= couplings
        gone = torch.where(done[:, None], way[:, 0], here)
        log_p = flows.standard_normal_log_prob(start).sum()
        log_ps = log_p - torch.cat([torch.zeros(1), *log_dets]).cumsum(0)
        return modes | {
            "density": densities[nearest.long()],
            "layer": nearest,
            "way": way[:, 0],
            "gone": gone,
            "here": here,
            "log_p": log_ps[nearest.long()],
        }

    square = {"xlim": (-4.2, 4.2), "ylim": (-4.2, 4.2), "equal": True}
    samples = [live.points(f"m{m}", color=color, size=1.4) for m, color in enumerate(COLORS)]
    way = [
        live.line("way", color="gray", width=1.0),
        live.line("gone", color="ink", width=2.0),
        live.points("here", color="orange", size=4.5, alpha=1.0),
    ]
    there = live.points("here", color="orange", size=4.5, alpha=1.0)
    extent = (-4.2, 4.2, -4.2, 4.2)
    density = live.heat("density", extent, limits=(0, 0.4))
    return live.live_figure(
        scene,
        live.panel(*samples, *way, title="noise → ring", probe=("z1", "z2"), **square),
        live.panel(density, there, title="their density", **square),
        readout="a Gaussian after {layer:.0f} of 16 couplings; log p of the dot: {log_p:.2f} nats",
        alt="Left: samples of a trained flow, eight clusters in eight colours on a ring, and the "
        "crooked way of one of them there, from a point near the middle. Right: their density, "
        "eight dark spots, and a dot at the end of the way.",
        couplings=(0.0, n_turns + 1.0, 0.1, n_turns + 1.0),
        z1=(-3.0, 3.0, 0.05, 0.2),
        z2=(-3.0, 3.0, 0.05, -1.2),
        labels={"z1": "z1 of the start", "z2": "z2 of the start"},
        fold=live.fold("the start in numbers", "z1", "z2"),
        play="couplings",
    )


def fewer_colours(png: bytes) -> bytes:
    """The same picture with 128 colours: a third of the bytes, for the first thing readers see."""
    out = io.BytesIO()
    few = Image.open(io.BytesIO(png)).convert("RGB").quantize(128, kmeans=1)
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def stored(figure) -> str:
    """What the page needs of the figure, as JSON: name of its picture -> state."""
    state = {"code": figure.code, "spec": figure.spec, "data": figure.data}
    state["reference"] = reference(figure)
    return json.dumps({PICTURE.stem: state}, sort_keys=True) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = hero()
    safely.write_all({PAGE: stored(made), PICTURE: fewer_colours(made.png(dpi=144))})
    print(f"wrote {PAGE.name} ({PAGE.stat().st_size // 1000} kB) and {PICTURE.name}")
