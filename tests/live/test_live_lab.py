"""What a lab is made of serves others: an own model, trained in a worker on a drawing, and a film
of a plain canvas. Nothing of the Flow Lab is in this page."""

import base64

import pytest
import torch
from browser import serve_folder, wait_until
from torch import nn

from live.lab import bundle, compile_core, compile_kind

PAGE = """<!doctype html><title>Other</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css"><div id="place" class="live-figure"></div>
<script src="page.js"></script>"""
SCRIPT = """
const side = { x: "", y: "", xlim: [-3, 3], ylim: [-3, 3], equal: true, aspect: 1, width: 1 };
const marks = [{ kind: "points", xy: "drawn", color: "blue", size: 2, alpha: 1 }];
const root = document.querySelector("#place"), panels = element("div", "live-panels", root);
const plot = new Plot({ ...side, title: "Draw", marks }, panels), heard = [];
const show = () => { plot.draw({ drawn: Float32Array.from(surface.points) }, "light"); surface.drawCursor(); };
const surface = new Surface(plot, { drew: () => { heard.push("drew"); show(); }, inked: show, say: (w) => heard.push(w) });
plot.resize();
show();
const trained = () => new Promise((done, failed) => {
  const host = new Host("work.js", (said) => { if (said.finished) { host.end(); done(said); } }, failed);
  const settings = { batch: 128, clip: 5, schedule: true, steps: 600, seed: 1, rates: [[0, 0.05]] };
  const model = { layers: [{ kind: "scale" }], width: 1 };
  host.send({ do: "make", model, data: Float32Array.from(surface.points), epoch: 1, settings });
  host.send({ do: "run" });
});
const filmed = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 120, height: 80 }), seen = [];
  const ctx = canvas.getContext("2d");
  const film = await recordFilm(canvas, (t) => {
    seen.push(t);
    ctx.fillStyle = "white"; ctx.fillRect(0, 0, 120, 80);
    ctx.fillStyle = "black"; ctx.fillRect(100 * t, 30, 20, 20);
  }, 0.8);
  const bytes = new Uint8Array(await film.arrayBuffer());
  return [filmEnding(film), btoa(String.fromCharCode(...bytes)), seen];
};
window.other = { surface, heard, trained, filmed };
"""  # noqa: E501


class Scale(nn.Module):
    """z = (x - shift) / scale."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2))
        self.log_scale = nn.Parameter(torch.zeros(2))

    def encode(self, x):
        z = (x - self.shift) * torch.exp(-self.log_scale)
        return z, 0 * x[:, 0] - self.log_scale.sum()

    def decode(self, z):
        return self.shift + z * torch.exp(self.log_scale), 0 * z[:, 0] + self.log_scale.sum()


def log_prob(z, log_det):
    return log_det - z.square().sum(dim=1) / 2


def loss(z, log_det):
    return -log_prob(z, log_det).mean()


@pytest.fixture(scope="module")
def other(chromium, tmp_path_factory):
    """A page with a drawing surface, and a worker that trains a model that no chapter has."""
    kind, core = compile_kind(lambda width: Scale()), compile_core(loss, log_prob)
    kinds = {"scale": kind | {"programs": bundle.as_json(kind["programs"])}}
    stored = {"core": bundle.as_json(core), "bases": {}, "kinds": kinds, "data": {}}
    folder = tmp_path_factory.mktemp("other")
    for name, text in {
        "index.html": PAGE,
        "page.js": bundle.page(SCRIPT),
        "page.css": bundle.style(""),
        "work.js": bundle.workshop(stored),
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    tab, complaints = chromium.new_page(viewport={"width": 600, "height": 700}), []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    with serve_folder(folder) as address:
        tab.goto(f"{address.rstrip('/')}/index.html")
        assert not complaints
        yield tab
    tab.close()
    assert not complaints


def points(tab):
    return torch.tensor(tab.evaluate("other.surface.points")).reshape(-1, 2)


def stroke(tab, *places):
    """By mouse, between places in the panel's own numbers."""
    box = tab.locator("canvas").bounding_box()
    at = "([x, y]) => [other.surface.plot.X(x), other.surface.plot.Y(y)]"
    for k, place in enumerate(places):
        x, y = tab.evaluate(at, place)
        tab.mouse.move(box["x"] + x, box["y"] + y, steps=10)
        if not k:
            tab.mouse.down()
    tab.mouse.up()


def test_one_draws_and_takes_back(other):
    stroke(other, (-1.5, 1), (1.5, 1))
    pen = points(other)
    assert len(pen) > 20 and (pen[:, 1] - 1).abs().max() < 0.5, "along the line"
    assert pen[:, 0].min() < -1.2 and pen[:, 0].max() > 1.2
    other.click("text=Spray")
    stroke(other, (0, -1), (0.5, -1))
    spray = points(other)[len(pen) :]
    assert (spray - torch.tensor([0.25, -1.0])).square().mean().sqrt() > 0.2, "wider than the pen"
    other.click("text=Undo")
    assert torch.equal(points(other), pen)
    other.locator("canvas").focus()
    for key in ("ArrowRight", "ArrowUp", "Enter"):
        other.keyboard.press(key)
    added = points(other)[len(pen) :]
    assert len(added) == 12 and (added.mean(dim=0) - 0.25).abs().max() < 0.5
    heard = other.evaluate("other.heard")
    assert heard.count("drew") == 4 and heard[-1] == f"at 0.25, 0.25; {len(pen) + 12} points"
    text, kept = other.evaluate("other.surface.text"), points(other)
    other.click("text=Clear")
    assert not len(points(other))
    other.evaluate("(text) => other.surface.takeText(text)", text)
    assert torch.equal(points(other), kept), "a text, as in a link, brings them back"
    other.evaluate("other.surface.takeText('*')")
    assert not len(points(other)), "what is no such text means none"


def test_where_one_may_not_draw_nothing_happens(other):
    other.evaluate("other.surface.take([]); other.surface.show(false)")
    stroke(other, (-1, 0), (1, 0))
    assert not len(points(other)) and not other.locator("text=Undo").is_visible()
    other.evaluate("other.surface.show(true)")
    stroke(other, (-1, 0), (1, 0))
    assert len(points(other)) and other.locator("text=Undo").is_visible()


def test_a_table_becomes_points(other):
    rows = "\n".join(f"{k},{k * k}" for k in range(30)).encode()
    table = {"name": "t.csv", "mimeType": "text/csv", "buffer": rows}
    other.set_input_files("input[type=file]", table)
    wait_until(other, lambda: len(points(other)) == 30)
    assert points(other).abs().max() <= 3
    table |= {"name": "bad.csv", "buffer": b"1,2\n3"}
    other.set_input_files("input[type=file]", table)
    wait_until(other, lambda: "bad.csv: a table needs 10" in other.evaluate("other.heard.at(-1)"))
    assert len(points(other)) == 30


def test_another_model_learns_a_drawing_in_a_worker(other):
    """A Gaussian: its mean and spread become those of the points, which is what fits them best."""
    other.evaluate("other.surface.take([])")
    stroke(other, (-2, -1), (0, 1), (1, 0.5))
    drawn = points(other)
    said = other.evaluate("other.trained().then(({ done, weights }) => [done, [...weights]])")
    assert said[0] == 600
    shift, log_scale = torch.tensor(said[1]).reshape(2, 2)
    # (Batches of 128 of them: what the last steps, which are small, leave of their scatter.)
    assert (shift - drawn.mean(dim=0)).abs().max() < 0.1
    assert (log_scale.exp() - drawn.std(dim=0)).abs().max() < 0.1


def test_a_film_of_a_plain_canvas(other):
    """It plays, with its square at the left at first and at the right in the end."""
    ending, film, seen = other.evaluate("other.filmed()")
    assert ending == "webm" and seen[0] == 0 and seen[-1] == 1 and seen == sorted(seen)
    where = """async address => {
        const video = Object.assign(document.createElement("video"), { src: address, muted: true });
        const canvas = Object.assign(document.createElement("canvas"), { width: 120, height: 80 });
        const ctx = canvas.getContext("2d", { willReadFrequently: true }), seen = [];
        await video.play();
        for (let over = false; !over;) {
          over = video.ended;
          ctx.drawImage(video, 0, 0);
          const dark = [10, 110].map((x) => ctx.getImageData(x, 40, 1, 1).data[0] < 128);
          seen.push(dark.map((d) => "-#"[+d]).join(""));
          await new Promise((go) => setTimeout(go, 20));
        }
        return [seen, video.videoWidth, video.videoHeight];
    }"""
    address = f"data:video/webm;base64,{film}"
    assert base64.b64decode(film)[:4] == b"\x1a\x45\xdf\xa3"
    frames, *size = other.evaluate(where, address)
    assert "#-" in frames and frames[-1] == "-#" and size == [120, 80], frames
