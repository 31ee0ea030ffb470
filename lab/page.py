"""What the site needs of the Lab: two scripts and a style sheet."""

import json
from pathlib import Path

from lab.programs import stored
from live.lab import bundle

HERE = Path(__file__).parent
# What rebuilds an exported flow, for readers to copy.
PYTHON = """\
import json

import torch

import flows

saved = json.load(open("flow-lab.json", encoding="utf-8"))
flow = flows.RealNVP(2, **saved["shape"])
flow.load_state_dict({name: torch.tensor(w) for name, w in saved["weights"].items()})
x, log_p = torch.tensor(saved["points"]), torch.tensor(saved["log_p"])
print(f"{(flow.log_prob(x) - log_p).abs().max().item():.1e}")
"""


def files() -> dict[str, str]:
    """The Lab's files.

    Returns:
        Name -> text: work.js trains, in a worker; lab.js and lab.css are what is seen.

    Example:
        >>> sorted(files())
        ['lab.css', 'lab.js', 'work.js']
    """
    programs = stored()
    sizes = {
        name: [{"name": w["name"], "shape": w["shape"]} for w in kind["weights"]]
        for name, kind in programs["kinds"].items()
    }
    about = programs["settings"] | {"sizes": sizes, "python": PYTHON}
    script = (HERE / "js" / "lab.js").read_text(encoding="utf-8")
    settings = f"const SETTINGS = {json.dumps(about)};"
    return {
        "work.js": bundle.workshop({k: programs[k] for k in ("core", "kinds", "data")}),
        "lab.js": bundle.page(settings, script),
        "lab.css": bundle.style((HERE / "js" / "lab.css").read_text(encoding="utf-8")),
    }
