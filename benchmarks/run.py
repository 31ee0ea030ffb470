"""Times live figures in Chromium; with --rivals also onnxruntime-web and TensorFlow.js."""

import argparse
import gzip
import json
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import rivals  # noqa: E402
import torch  # noqa: E402
import work  # noqa: E402
from browser import FLAGS, find_chromium, serve_folder  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from live import compile  # noqa: E402
from live.compiler import runtime  # noqa: E402
from live.page import bundle  # noqa: E402

MOVES, CALLS = 200, 100
SITE = Path(os.environ.get("COURSE_SITE", ROOT / "_build" / "html"))


def at(sorted_times, share):
    return sorted_times[min(len(sorted_times) - 1, int(share * len(sorted_times)))]


def zipped(text) -> float:
    """Kilobytes after gzip."""
    return len(gzip.compress(text if isinstance(text, bytes) else text.encode(), 9)) / 1000


def time_figures(chromium) -> list[str]:
    lines = [
        "| figure | first picture, ms | move p50, ms | move p95, ms | target p95 "
        "| code + data, KB gz |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, (figure, target) in work.figures().items():
            path = Path(folder) / "figure.html"
            figure.save_html(path)
            page = chromium.new_page(viewport={"width": 1100, "height": 900})
            page.goto(path.as_uri())
            page.evaluate("window.mountLiveFigures()")
            page.wait_for_selector("html[data-live=ready]")
            first = page.evaluate(
                "(() => { const m = performance.getEntriesByName('live:draw')[0]; "
                "return m.startTime + m.duration; })()"
            )
            page.add_script_tag(path=HERE / "page.js")
            moves = page.evaluate(f"timeMoves({MOVES})")
            size = zipped(bundle.script(figure.code, figure.spec, figure.data))
            lines.append(f"| {name} | {first:.0f} | {at(moves, 0.5):.1f} | {at(moves, 0.95):.1f} | "
                         f"{target} | {size:.1f} |")  # fmt: skip
            print(lines[-1], flush=True)
            page.close()
    library = zipped(bundle.site()) + zipped(bundle.css())
    return [*lines, "", f"The library that all figures of a page share: {library:.1f} KB gz."]


def time_pages() -> list[str]:
    """Bytes of live scripts by page of the built site."""
    site = SITE
    lines = ["| page | figures | library, KB gz | code and data, KB gz |", "|---|---|---|---|"]
    for page in sorted(site.glob("chapters/*.html")) + sorted(site.glob("intro.html")):
        text = page.read_text(encoding="utf-8")
        files = set(re.findall(r"_static/live/([\w.-]+\.js)", text))
        if not files:
            continue
        sizes = {f: zipped((site / "_static" / "live" / f).read_bytes()) for f in files}
        shared = sizes.pop("live.js", 0)
        lines.append(f"| {page.stem} | {text.count('data-live=')} | {shared:.1f} | "
                     f"{sum(sizes.values()):.1f} |")  # fmt: skip
    return lines if len(lines) > 2 else []


def time_training() -> list[str]:
    """Chapter 5's recipe in torch: seconds of CPU time on one thread, and the gap."""
    lines = ["| chapter 5: 16 layers, 400 steps of 1024 points | CPU s | held-out gap, nats |",
             "|---|---|---|"]  # fmt: skip
    for seed in range(3):
        seconds, gap = work.train_the_ring(seed)
        lines.append(f"| seed {seed} | {seconds:.1f} | {gap:.3f} |")
        print(lines[-1], flush=True)
    return lines


# What a figure of a chapter should reach: p95 in ms (curves; maps of the plane; trained flows).
TARGETS = {"1": 2, "2": 2, "3": 4, "4": 16, "5": 16, "6": 16, "7": 16, "8": 4, "i": 16}


def time_site(chromium) -> list[str]:
    """Moves of every figure of the built book."""
    site = SITE
    lines = ["| page | figure | first picture, ms | move p50, ms | move p95, ms | target p95 |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for path in sorted(site.glob("*.html")) + sorted(site.glob("chapters/*.html")):
        if path.name == "index.html" or "data-live=" not in path.read_text(encoding="utf-8"):
            continue
        page = chromium.new_page(viewport={"width": 1200, "height": 900}, bypass_csp=True)
        page.goto(path.as_uri())
        page.evaluate("window.mountLiveFigures()")
        page.wait_for_selector("html[data-live=ready]")
        page.add_script_tag(path=HERE / "page.js")
        ends = page.evaluate(
            "performance.getEntriesByName('live:draw').map((m) => m.startTime + m.duration)"
        )
        for k, figure in enumerate(page.locator(".live-figure").all()):
            label = (figure.get_attribute("aria-label") or "")[:60]
            moves = figure.evaluate(f"(f) => timeMoves({MOVES}, f)")
            if moves:
                lines.append(f"| {path.stem} | {label} | {ends[k]:.0f} | {at(moves, 0.5):.1f} | "
                             f"{at(moves, 0.95):.1f} | {TARGETS[path.stem[0]]} |")  # fmt: skip
                print(lines[-1], flush=True)
        page.close()
    return lines if len(lines) > 2 else []


def time_calls(chromium, with_rivals: bool) -> list[str]:
    """The compiled functions alone, a training step among them; beside them the rivals."""
    lines = ["| median ms a call (p95) | live |", "|---|---|"]
    scripts = ""
    if with_rivals:
        rivals.fetch()
        lines = ["| median ms a call (p95) | live | onnxruntime-web | TensorFlow.js |",
                 "|---|---|---|---|"]  # fmt: skip
        scripts = "".join(f'<script src="/{s}"></script>' for s in rivals.SCRIPTS)
    rivals.CACHE.mkdir(parents=True, exist_ok=True)
    (rivals.CACHE / "index.html").write_text(
        f"<!doctype html><title>Calls</title>{scripts}", encoding="utf-8"
    )
    weights = rivals.plain(p.detach() for p in work.flow().parameters())
    with serve_folder(rivals.CACHE) as address:
        for number, (name, (function, arguments)) in enumerate(work.tasks().items()):
            page = chromium.new_page()
            page.goto(f"{address.rstrip('/')}/index.html")
            page.add_script_tag(content=f"{runtime.text()}\nwindow.live = live;")
            for file in ("tfjs.js", "page.js"):
                page.add_script_tag(path=HERE / file)
            program = compile(function, *arguments, dynamic=(), name="f")
            args, kind = rivals.plain(arguments), name.split()[0].strip(",")
            ours = page.evaluate(
                "([p, a, n]) => timeLive(p, a, n)",
                [{"code": program.code, "data": program.data}, args, CALLS],
            )
            others = [
                attempt(lambda: onnx(page, f"task{number}", function, arguments, args)),  # noqa: B023
                attempt(lambda: tensorflow(page, kind, args, weights)),  # noqa: B023
            ] if with_rivals else []  # fmt: skip
            cells = [cell(name, t) for t in (ours, *others)]
            lines.append(f"| {name} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
            page.close()
    return lines


def attempt(run):
    """What it gives, or what went wrong."""
    try:
        return run()
    except Exception as error:
        return re.sub(r"\s+", " ", str(error))[:70]


def onnx(page, task, function, arguments, args):
    rivals.export(task, function, arguments)
    return page.evaluate("([t, a, n]) => timeOnnx(t, a, n)", [task, args, CALLS])


def tensorflow(page, kind, args, weights):
    send = [kind, args, weights, CALLS]
    for backend in ("wasm", "cpu"):
        try:
            times = page.evaluate("([k, a, w, n, b]) => timeTf(k, a, w, n, b)", [*send, backend])
            return times, backend
        except Exception as error:
            last = error
    raise last


def cell(name, times) -> str:
    note = ""
    if isinstance(times, tuple):
        times, backend = times
        note = f" ({backend})"
    if isinstance(times, str):
        return f"not possible: {times}"
    middle = at(times, 0.5)
    rate = f", {1000 / middle:.0f} steps/s" if name.startswith("training") else ""
    return f"{middle:.2f} ({at(times, 0.95):.2f}){rate}{note}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rivals", action="store_true", help="also time the rivals")
    parser.add_argument("--output", type=Path, default=HERE / "results.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        about = f"Chromium {chromium.version}, {platform.machine()}, torch {torch.__version__}."
        about += f" Load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        parts = [["# Last run", "", about], time_figures(chromium), time_site(chromium),
                 time_pages(), time_calls(chromium, options.rivals)]  # fmt: skip
        chromium.close()
    parts.append(time_training())
    options.output.write_text(
        "\n\n".join("\n".join(p) for p in parts if p) + "\n", encoding="utf-8"
    )
    print(json.dumps({"written": options.output.name}))


if __name__ == "__main__":
    main()
