"""Faults that a reader would see, put into the code one at a time.

    python tools/page_mutants.py                 # all; about an hour
    python tools/page_mutants.py marks.js "the probe"
    python tools/page_mutants.py A1: H

tools/mutants.py changes code at random. Here each change is written down: a file, a text that
stands in it once, and what takes its place. Those of `TABLE` are seen in a live figure, and a test
that guards the file (tools/guards.toml) must fail. Those of tests/faults.toml were there once, and
the test that is named with them must fail. `tests/tools/test_mutants.py` sees to it that each text
is there.
"""

import argparse
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import mutants

ROOT = Path(__file__).resolve().parents[1]
ONCE = "tests/faults.toml"
JS = "live/page/js/"
GUARDS = mutants.guards(ROOT)
# File -> (what a reader would see, old text, new text).
TABLE = {
    f"{JS}theme.js": [
        ("dark blue and orange swapped", 'dark: { blue: "#56b4e9", orange: "#ff9550"',
         'dark: { blue: "#ff9550", orange: "#56b4e9"'),
        ("dark ink on dark paper", 'ink: "#e8eaed"', 'ink: "#222222"'),
        ("print and page differ", 'green: "#029e73"', 'green: "#029e93"'),
        ("squeezed and stretched swapped",
         "diverging: [[0, 1, 115, 178, 1], [0.5, 208, 208, 208, 1], [1, 213, 94, 0, 1]]",
         "diverging: [[0, 213, 94, 0, 1], [0.5, 208, 208, 208, 1], [1, 1, 115, 178, 1]]"),
        ("the same, dark",
         "diverging: [[0, 86, 180, 233, 1], [0.5, 90, 95, 102, 1], [1, 255, 149, 80, 1]]",
         "diverging: [[0, 255, 149, 80, 1], [0.5, 90, 95, 102, 1], [1, 86, 180, 233, 1]]"),
        ("a density of 0 is not transparent", "[[0, 255, 255, 255, 0]", "[[0, 255, 255, 255, 1]"),
        ("light tables on dark pages", "stops = PALETTES[mode][name]",
         "stops = PALETTES.light[name]"),
        ("palettes have no alpha", "Math.round(255 * al)", "255"),
    ],
    f"{JS}template.js": [
        ("the first option for the second", "options[Math.round(", "options[Math.floor(0.5 * "),
        ("one digit less", ".toFixed(digits)", ".toFixed(Math.max(0, digits - 1))"),
        ("per cent without the hundred", "100 * value", "value"),
        ("no plus", 'text = "+" + text', "text"),
        ("minus zero", 'text = text.replace("-", "")', "text"),
        ("the entry before", "value = value[index]", "value = value[index - 1]"),
        ("no number is NaN", 'if (Number.isNaN(+value)) return "none";', ""),
        ("large numbers", "power > 3", "power > 9"),
        ("a hyphen for a minus", 'return text.replace("-", "−") + unit;', "return text + unit;"),
        ("a hyphen for a minus, short", 'return text.replace(/^-/, "−");', "return text;"),
        ("powers of the wrong sign", '{ "-": "⁻",', '{ "-": "",'),
        ("infinity in words", '.replace("Infinity", "inf")', ""),
    ],
    f"{JS}plot.js": [
        ("the y axis upside down", "this.ay = -box.h / (y1 - y0); this.by = box.y + box.h",
         "this.ay = box.h / (y1 - y0); this.by = box.y"),
        ("the x axis mirrored", "this.ax = box.w / (x1 - x0); this.bx = box.x",
         "this.ax = -box.w / (x1 - x0); this.bx = box.x + box.w"),
        ("labels swapped", "ctx.fillText(spec.x,", "ctx.fillText(spec.y,"),
        ("the label of y is that of x", "ctx.fillText(spec.y, 0, 0)", "ctx.fillText(spec.x, 0, 0)"),
        ("no label of x", "ctx.fillText(spec.x,", "ctx.fillText('',"),
        ("the label of y stands upright", "ctx.rotate(-Math.PI / 2)", "ctx.rotate(0)"),
        ("the label of y reads downwards", "ctx.rotate(-Math.PI / 2)", "ctx.rotate(Math.PI / 2)"),
        ("ticks times ten", "[at, formatNumber(at, digits)]",
         "[at, formatNumber(10 * at, digits)]"),
        ("ticks without digits", "-Math.floor(Math.log10(step) + 1e-9)", "0"),
        ("ticks that are not round", "[1, 2, 5, 10].map", "[1, 3, 7, 10].map"),
        ("numbers beside other places", "Math.min(this.width - half, this.X(at))), bottom + 6)",
         "Math.min(this.width - half, this.X(at) + 20)), bottom + 6)"),
        ("numbers of y beside other places", "first = this.Y(at) - 6.5",
         "first = this.Y(-at) - 6.5"),
        ("numbers of y that overlap", "fitting(spec.ylim, box.h, () => 20)",
         "fitting(spec.ylim, box.h, () => 90)"),
        ("all numbers on a phone", "this.small && ticks.length > 2 ?", "false ?"),
        ("names of axes on a phone", "if (!this.small) ctx.fillText(spec.x", "ctx.fillText(spec.x"),
        ("panels of a row do not align", "const { left = ownLeft, bottom = ownBottom } = room;",
         "const left = ownLeft, bottom = ownBottom;"),
        ("the names of bars upside down", "this.names(this.width).map((lines, k) => [k, lines])",
         "this.names(this.width).map((lines, k, all) => [all.length - 1 - k, lines])"),
        ("no titles", 'element("div", "live-title", this.root, spec.title)',
         'element("div", "live-title", this.root)'),
        ("no legend", "spec.marks.filter((m) => m.label)", "[]"),
        ("every mark in the legend", "spec.marks.filter((m) => m.label)", "spec.marks"),
        ("the legend in another colour", ".dataset.color = mark.color", '.dataset.color = "gray"'),
        ("the legend keeps its old colours",
         "dot.style.background = this.colors[dot.dataset.color]",
         "dot.style.background = COLORS.light[dot.dataset.color]"),
        ("dashes are not in the legend", 'mark.dash ? "live-dash" : ""', '""'),
        ("blurred on fine screens", "const density = window.devicePixelRatio || 1",
         "const density = 1"),
        ("a quarter of the picture on fine screens",
         "ctx.setTransform(this.density, 0, 0, this.density, 0, 0)",
         "ctx.setTransform(1, 0, 0, 1, 0, 0)"),
        ("a unit is not as long in both directions", "const ratio = equal ?",
         "const ratio = false ?"),
        ("aspect is ignored", "Math.min(0.4, aspect) : aspect;", "Math.min(0.4, aspect) : 0.75;"),
        ("old pictures shine through", "ctx.clearRect(0, 0, this.width, this.height)", "void 0"),
        ("the colours of the first mode stay", "if (mode !== this.mode) {", "if (!this.mode) {"),
        ("hidden marks are shown", "if (mark.show && !+values[mark.show]) continue;", ""),
        ("marks shown where they are hidden", "&& !+values[mark.show])", "&& +values[mark.show])"),
        ("marks beyond the axes", "box.w, box.h); ctx.clip()", "box.w, box.h)"),
        ("all marks as pale as the one before", "      ctx.globalAlpha = 1;\n", ""),
        ("a probe as pale as the last mark", "    ctx.restore();\n    if (spec.probe)",
         "    if (spec.probe)"),
        ("the probe at (y, x)",
         "[px ? this.X(values[px]) : box.x, py ? this.Y(values[py]) : box.y]",
         "[px ? this.X(values[py]) : box.x, py ? this.Y(values[px]) : box.y]"),
        ("no probe", "if (spec.probe) this.drawProbe(values)", "void 0"),
        ("a probe of the other direction", "else if (px) { ctx.moveTo(x, box.y)",
         "else if (py) { ctx.moveTo(x, box.y)"),
        ("a probe on the axes where it is not in the picture",
         "if (Math.abs(x - inX) + Math.abs(y - inY) > 1) return;",
         ""),
        ("what is said of a panel", '"aria-label", [spec.title', '"aria-label", [spec.none'),
        ("horizontal is vertical", "spec.x && `horizontal", "spec.y && `horizontal"),
    ],
    f"{JS}marks.js": [
        ("x and y of pairs swapped", "(k) => first[2 * k], (k) => first[2 * k + 1]",
         "(k) => first[2 * k + 1], (k) => first[2 * k]"),
        ("x and y swapped", "(k) => first[k % n], (k) => second[k]",
         "(k) => second[k], (k) => first[k % n]"),
        ("the second curve over no axis", "first[k % n]", "first[k]"),
        ("curves joined to one", "? shape.at(-2) : shape.at(-1)", "? total : total"),
        ("every line is blue", "ctx.strokeStyle = ctx.fillStyle = plot.colors[mark.color]",
         "ctx.strokeStyle = ctx.fillStyle = plot.colors.blue"),
        ("every line is thin", "    ctx.lineWidth = mark.width;\n", "    ctx.lineWidth = 1;\n"),
        ("no dashes", "mark.dash ? [5, 4] : []);\n    const draw", "[]);\n    const draw"),
        ("dashes for ever", "      draw(run);\n    }\n    ctx.setLineDash([]);",
         "      draw(run);\n    }"),
        ("gaps are bridged", "else { draw(run); run = []; }", "else void 0;"),
        ("areas down to 1", "plot.Y(0)); ctx.lineTo(run[0][0], plot.Y(0))",
         "plot.Y(1)); ctx.lineTo(run[0][0], plot.Y(1))"),
        ("areas are opaque", "ctx.globalAlpha = 0.15;", ""),
        ("no areas", "if (!mark.fill) return;", "return;"),
        ("dots upside down", "ay * y(k) + by", "plot.box.h - (ay * y(k) + by)"),
        ("dots of one size", "const r = mark.size", "const r = 1"),
        ("dots are opaque", "ctx.globalAlpha = mark.alpha; ctx.fillStyle", "ctx.fillStyle"),
        ("dots in the next value's colour", "value[k], low, scale) & ~1",
         "value[(k + 1) % n], low, scale) & ~1"),
        ("no number has a colour", "if (Number.isNaN(value[k])) of[k] = LEVELS",
         "if (false) of[k] = LEVELS"),
        ("limits are ignored", "if (mark.limits) return mark.limits;", ""),
        ("a scale that is not centred", "[-top || -1, top || 1]", "[0, top || 1]"),
        ("half the scale", "Math.round((v - low) * scale)", "Math.round((v - low) * scale / 2)"),
        ("a palette backwards", "Math.round((v - low) * scale)",
         "LEVELS - 1 - Math.round((v - low) * scale)"),
        ("a colour's own alpha is lost", "${(a / 255) * alpha})", "${alpha})"),
        ("a grid one way",
         "for (let j = 0; j < columns; j += every) for (let i = 0; i < rows; i++) to(i * "
         "columns + j, i === 0);",
         ""),
        ("all lines of a grid", "for (let i = 0; i < rows; i += every)",
         "for (let i = 0; i < rows; i++)"),
        ("a grid that does not bend",
         "for (let j = 0; j < columns; j++) to(i * columns + j, j === 0)",
         "for (let j = 0; j < columns; j += every) to(i * columns + j, j === 0)"),
        ("a grid with a line back", "to(i * columns + j, j === 0)", "to(i * columns + j, false)"),
        ("holes in a grid are bridged", "pen = there;", "pen = true;"),
        ("cells by columns", "const x = v[a * wide + b];", "const x = v[b * high + a];"),
        ("cells are bow ties", "c = at(q + columns + 1), d = at(q + columns);",
         "d = at(q + columns + 1), c = at(q + columns);"),
        ("cells without a corner",
         "        if (![a, b, c, d].every(([x, y, z]) => Number.isFinite(x + y + z))) continue;\n",
         ""),
        ("cells without a value",
         "        if (wide < columns && Number.isNaN(given[i * wide + j])) continue; // a cell "
         "without a value\n",
         ""),
        ("one cell without a value blanks those around",
         "if (!Number.isNaN(x)) { sum += cut(x); n++; }",
         "sum += cut(x); n++;"),
        ("half of each cell", "        shadeTriangle(raster, a, c, d);\n", ""),
        ("a mesh beside its place", ", plot.Y(xy[2 * q + 1]) - box.y, v[q]]",
         ", plot.Y(xy[2 * q + 1]), v[q]]"),
        ("flat triangles", "v0 + gx * (px + 0.5 - x0) + gy * (y - y0)", "v0"),
        ("values beyond the limits run over", "return v.map(cut);", "return v;"),
        ("folds are not seen", 'add: mark.palette === "density"', "add: false"),
        ("all folds add up", 'add: mark.palette === "density"', "add: true"),
        ("a mesh keeps what was there", ".fill(NaN);", ";"),
        ("a mesh's colours are those of 0", "k) => k, sums, low,", "k) => k, sums, 0 * low - 1,"),
        ("no number has a colour in a picture", "?? NONE, p = 4", "?? table[0], p = 4"),
        ("a mesh is opaque",
         "    plot.ctx.globalAlpha = mark.alpha;\n    plot.ctx.drawImage(picture",
         "    plot.ctx.drawImage(picture"),
        ("a heat map upside down", "(height - 1 - Math.floor(k / width)) * width",
         "Math.floor(k / width) * width"),
        ("a heat map mirrored", "* width + (k % width)", "* width + (width - 1 - (k % width))"),
        ("a heat map without its halves", "const dx = (right - left) / (width - 1) / 2",
         "const dx = 0 * (right - left)"),
        ("a heat map turned over", "plot.Y(bottom - dy) - y", "y - plot.Y(bottom - dy)"),
        ("a heat map that stays as it was",
         'mark.canvas.getContext("2d").putImageData(mark.image, 0, 0);',
         'if (!mark.put) mark.canvas.getContext("2d").putImageData(mark.image, 0, 0); '
         "mark.put = 1;"),
        ("bars from the left edge", "bar(plot, k, 0, x, plot", "bar(plot, k, -2, x, plot"),
        ("negative bars look positive",
         "x < 0 ? mark.negative : [mark.color].flat()", "[mark.color].flat()"),
        ("a bar in its neighbour's colour", "[mark.color].flat()[k] ??",
         "[mark.color].flat().at(k - 1) ??"),
        ("a point in its neighbour's colour", "plot.colors[mark.color[k]]",
         "plot.colors[mark.color.at(k - 1)]"),
        ("another bar stands out", "k === chosen ? 1 : 0.45", "k !== chosen ? 1 : 0.45"),
        ("numbers of two digits", "barText(plot, k, 0, x, formatNumber(x, 3), x < 0)",
         "barText(plot, k, 0, x, formatNumber(x, 2), x < 0)"),
        ("a waterfall's total is 0", "bar(plot, last, 0, total, plot",
         "bar(plot, last, 0, 0, plot"),
        ("a waterfall's total reads 0", "barText(plot, last, 0, total, formatNumber(total, 3)",
         "barText(plot, last, 0, total, formatNumber(0, 3)"),
        ("a waterfall from zero", "bar(plot, k, ends[k], ends[k + 1], plot",
         "bar(plot, k, 0, x, plot"),
        ("a waterfall's terms without signs", 'formatNumber(x, 3, "f", "+")', "formatNumber(x, 3)"),
        ("the zero line elsewhere", "plot.ax * 0 + plot.bx", "plot.ax * 1 + plot.bx"),
        ("an upright rule lies", "if (mark.x !== undefined) { ctx.moveTo",
         "if (mark.x === undefined) { ctx.moveTo"),
        ("texts at another place",
         "[plot.X(valueOf(values, mark.x)), plot.Y(valueOf(values, mark.y))], words",
         "[plot.X(valueOf(values, mark.y)), plot.Y(valueOf(values, mark.x))], words"),
        ("texts are not filled in", "fillTemplate(mark.template, values)", "mark.template"),
        ("numbers off the edge", "if (!room(toLeft) && room(!toLeft)) toLeft = !toLeft;", ""),
        ("words without a rim", "  ctx.strokeText(text, ...at);\n", ""),
        ("a rim over the words", "ctx.strokeStyle = colors.paper; ctx.lineWidth = 4",
         "ctx.strokeStyle = colors.ink; ctx.lineWidth = 4"),
        ("no word of a bar that goes on", "end > right + 1 ?", "false ?"),
    ],
    f"{JS}controls.js": [
        ("arrow keys of the probe reversed", "ArrowLeft: [px, -1], ArrowRight: [px, 1]",
         "ArrowLeft: [px, 1], ArrowRight: [px, -1]"),
        ("up is down", "ArrowDown: [py, -1], ArrowUp: [py, 1]",
         "ArrowDown: [py, 1], ArrowUp: [py, -1]"),
        ("the probe is put at (y, x)", "setParam(model, px, (x - plot.bx) / plot.ax)",
         "setParam(model, px, (y - plot.by) / plot.ay)"),
        ("the probe stays while it is dragged", "move(plot.placeOf(e).map((v, k) => v + grip[k]));",
         "void 0;"),
        ("the probe follows without a button",
         "if (grip && stage.hasPointerCapture(e.pointerId)) move(plot.placeOf(e).map((v, k) "
         "=> v + grip[k]));",
         "move(plot.placeOf(e));"),
        ("the probe leaves its range", "Math.max(p.min, Math.min(p.max, on))", "on"),
        ("a frozen number at a slider", "write(output, shownValue(",
         "if (!output.firstChild) write(output, shownValue("),
        ("a slider that does not follow", "input.value = model.get(p.name);",
         "input.value ||= model.get(p.name);"),
        ("a slider's number has no digits", "Number.isInteger(value) ? 0 : digitsOf(step)", "0"),
        ("the probe is put where it was taken",
         "if (!touch) { canvas.focus({ preventScroll: true }); move([x, y]); }",
         "if (!touch) canvas.focus({ preventScroll: true });"),
        ("a probe of no name", "arrow keys move ${names}", "arrow keys move it"),
        ("an inverted check box", "change(input.checked)", "change(!input.checked)"),
        ("a check box that looks inverted", "input.checked = model.get(p.name)",
         "input.checked = !model.get(p.name)"),
        ("a menu's first option always", "change(p.values[input.selectedIndex])",
         "change(p.values[0])"),
        ("a menu that does not follow", "input.selectedIndex = p.values.indexOf(model.get(p.name))",
         "input.selectedIndex = 0"),
        ("a menu's place for its number", "p.numbers[p.values.indexOf(value)]",
         "p.values.indexOf(value)"),
        ("labels without their controls", "label.htmlFor = input.id =", "input.id ="),
        ("each number is read out", 'output.setAttribute("aria-live", "off")',
         'output.setAttribute("aria-live", "assertive")'),
        ("the probe is a picture to screen readers", 'canvas.setAttribute("role", "application")',
         "void 0"),
        ("Reset does not stop Play", "stop(); reset();", "reset();"),
        ("Reset resets nothing", "stop(); reset();", "stop();"),
        ("Play never ends", "t >= 1 ? stop() :", "t >= 9 ? stop() :"),
        ("Play at twice the pace", "seconds = 4", "seconds = 2"),
        ("Play cannot be stopped", "(running ? stop() : start())", "start()"),
        ("the button says Pause for ever", 'write(play, "Play"); };', "};"),
        ("Play from the end stays there", "? p.min : model.get(p.name);\n",
         "? p.max : model.get(p.name);\n"),
        ("Play hurries those who asked for calm", "const pause = calm ? 600 : 16",
         "const pause = 16"),
        ("the page scrolls while arrow keys move the probe",
         "model.save_changes();\n    e.preventDefault(); e.stopPropagation();",
         "model.save_changes();"),
        # A link to what is seen.
        ("Copy link copies nothing", "await navigator.clipboard.writeText(address);", "void 0;"),
        ("Copy link copies the default state", "asText(p, model.get(p.name))",
         "asText(p, p.value)"),
        ("a copied link holds a menu's place", "p.options[p.values.indexOf(value)] : String",
         "p.values.indexOf(value) : String"),
        ("Copied for ever", 'write(copy, "Copy link"); }, 2000)',
         'write(copy, "Copied"); }, 2000)'),
        ("Copied at once, though nothing was", 'write(copy, "Copied");', "void 0;"),
        ("who does not see hears nothing of the link", 'say("Link to this state copied");', ""),
        ("nor of one that is shown", 'say("Link to this state, selected: copy it");', ""),
        ("a link that may not be copied is not shown",
         'shown = Object.assign(element("input", "live-link", parent)',
         'shown = Object.assign(document.createElement("input")'),
        ("a link that may not be copied is not selected", "shown.select();", ""),
        ("old links stay beside the new", "shown?.remove();", ""),
        # Links that set a state.
        ("a link leaves the range", "Number.isFinite(+text)) setParam(model, p, +text)",
         "Number.isFinite(+text)) model.set(p.name, +text)"),
        ("an empty number is 0", "text.trim() && Number.isFinite", "Number.isFinite"),
        ("a link with capitals finds no option", "const low = text.toLowerCase()",
         "const low = text"),
        ("a link sets no menu", "if (at >= 0) model.set(p.name, p.values[at])",
         "if (at > 9) model.set(p.name, p.values[at])"),
        ("a link finds no value of a menu", "String(value) === text)", "false)"),
        ("a link sets no check box", 'model.set(p.name, text === "1" || text === "true")',
         "void 0"),
        ("a link only unchecks", 'model.set(p.name, text === "1" || text === "true")',
         "model.set(p.name, false)"),
        ("any word checks a box", "if (/^(1|0|true|false)$/.test(text))", "if (text)"),
        # A mode is chosen by a click.
        ("a click chooses the next mode", "p.values[k] : p.min", "p.values[k + 1] : p.min"),
        ("a click on a bar chooses the first", "p.min + k * p.step]", "p.min]"),
        ("a click on a bar chooses it from below",
         "Math.abs(plot.Y(k) - y) - Math.abs(plot.ay) / 2)",
         "Math.abs(plot.Y(plot.values[mark.value].length - 1 - k) - y) - Math.abs(plot.ay) / 2)"),
        ("the farthest mode is chosen", "far(i) < far(best)", "far(i) > far(best)"),
        ("a click anywhere chooses", "if (far(k) <= 0) return", "if (p) return"),
        ("small dots must be hit exactly", "Math.max(10, mark.size)", "1"),
        ("the probe follows a click that chooses", "e.preventDefault(); // the probe stays", ""),
        ("a finger cannot choose", 'stage.addEventListener("click", choose, true);', ""),
        ("a mouse chooses when it lets go",
         'stage.addEventListener("pointerdown", touchless, true);', ""),
        ("nothing shows that a dot can be chosen", 'classList.toggle("live-choice", !!hit(e))',
         'classList.toggle("live-choice", false)'),
        # Touch.
        ("a thumb anywhere takes the probe", "(touch && e.target !== handle)", "false"),
        ("no thumb takes the probe", "(touch && e.target !== handle)", "touch"),
        ("the probe jumps under the thumb",
         "grip = touch ? [(px ? plot.X(model.get(px.name)) : x) - x, "
         "(py ? plot.Y(model.get(py.name)) : y) - y] : [0, 0];",
         "grip = [0, 0];"),
        ("a tap does not move the probe",
         "if (!grip && !e.defaultPrevented) move(plot.placeOf(e));", ""),
        ("a hint stays for ever", "const moved = () => hint.remove();",
         "const moved = () => {};"),
    ],
    f"{JS}figure.js": [
        ("what is sought is found at once", "found && +values[spec.goal.name] > 0 ?", "found ?"),
        ("what is found is not seen", "if (found) write(found, there);", ""),
        ("screen readers hear nothing", "setTimeout(() => { write(spoken, text + there); }, 800)",
         "setTimeout(() => {}, 800)"),
        ("screen readers hear every step", 'spoken.setAttribute("aria-live", "polite")', "void 0"),
        ("a readout that speaks at each step", 'readout.setAttribute("aria-live", "off")',
         "void 0"),
        ("a figure speaks unasked", "if (ready) speak =", "speak ="),
        ("a figure without a name", '"aria-label", spec.alt ||', '"aria-label",'),
        ("sliders go up and down under the finger", "readout.dataset.longest = text;", "void 0;"),
        ("a frozen readout", "      write(sentence, text);\n",
         "      if (!sentence.firstChild) write(sentence, text);\n"),
        ("menus are said as numbers",
         'words[p.name] = p.kind === "menu" ? p.options[p.values.indexOf(model.get(p.name))] : '
         "given[k]",
         "words[p.name] = given[k]"),
        ("Reset forgets the first slider",
         "for (const p of spec.params) model.set(p.name, p.value)",
         "for (const p of spec.params.slice(1)) model.set(p.name, p.value)"),
        ("paper is dark", 'mode = printing ? "light" : pageMode()', "mode = pageMode()"),
        ("the dark switch is not seen", "stops.push(watchMode(redraw), ", "stops.push("),
        ("blurred on another monitor", "plots[0].density !== window.devicePixelRatio", "false"),
        ("Play goes on under the reader's hand", '.live-choice")) buttons.stop();',
         '.live-choice")) void 0;'),
        ("Play goes on while a slider is taken", '"[data-param], .live-probed',
         '".live-probed'),
        ("Play goes on while the probe is taken", ".live-probed, .live-knot", ".live-knot"),
        ("Play goes on while a mode is chosen", ".live-knot, .live-choice", ".live-knot"),
        ("Play goes on at the probe's keys", '["pointerdown", "keydown", "input", "click"]',
         '["pointerdown", "input", "click"]'),
        ("Play goes on until the mouse lets go", '["pointerdown", "keydown", "input", "click"]',
         '["keydown", "input", "click"]'),
        ("Tab stops Play", 'e.key !== "Tab" && ', ""),
        ("a thumb that scrolls stops Play", "const scrolls = kind",
         "const scrolls = false && kind"),
        ("a link does not stop Play", "      buttons.stop();\n      for", "      for"),
        ("a link sets nothing", "if (state.has(p.name)) setFromText", "if (!p) setFromText"),
        ("a link does not play", '=== "play")) buttons.play()', '=== "play")) buttons.stop()'),
        ("every link plays", 'if (state.has("play") && ', "if ("),
    ],
    f"{JS}model.js": [
        ("a figure does not start as declared", "[p.name, p.value]", "[p.name, 0]"),
        ("a control that is moved tells nobody",
         "for (const listener of this.listeners[`change:${name}`] ?? []) listener();", ""),
        ("only the last who asked is told", "(this.listeners[event] ??= new Set())",
         "(this.listeners[event] = new Set())"),
    ],
    f"{JS}site.js": [
        ("a copied link begins with the old state", '`${location.href.split("#")[0]}#${encode',
         "`${location.href}#${encode"),
        ("a figure has no link", "return name && ((state)", "return !name && ((state)"),
        ("an address does nothing", '  follow("start");\n}', "}"),
        ("a new address does nothing", 'addEventListener("hashchange", () => {',
         'addEventListener("hashchanged", () => {'),
        ("the same link twice does nothing", 'else follow("nearest");', "else void 0;"),
        ("a link to a folded figure leaves it folded", "fold.open = true", "fold.open = false"),
        ("a name in the address is not decoded", "getElementById(decodeURIComponent(name))",
         "getElementById(name)"),
        ("an address that cannot be read breaks the page",
         "catch { // not decodable\n    return {};", "catch (error) {\n    throw error;"),
    ],
    "live/page/bundle.py": [
        ("a caption is HTML", 'html.escape(spec["caption"])', 'spec["caption"]'),
        ("an alt text is HTML", 'html.escape(spec["alt"], quote=True)', 'spec["alt"]'),
        ("a quote ends an alt text", 'html.escape(spec["alt"], quote=True)',
         'html.escape(spec["alt"], quote=False)'),
        ("a label ends a script", "safe(script(code, spec, data))", "script(code, spec, data)"),
        ("a label hides a script's end", "<(?=/script|script|!--)", "<(?=/script)"),
        ("a label in capitals ends a script", ", flags=re.IGNORECASE", ""),
    ],
    "live/page/site.py": [
        ("an alt text of the site is HTML", 'escape(spec["alt"], quote=True)', 'spec["alt"]'),
        ("a quote ends an alt text of the site", 'escape(spec["alt"], quote=True)',
         'escape(spec["alt"], quote=False)'),
    ],
    "live/figure/render.py": [
        ("the picture upside down", 'origin="lower"', 'origin="upper"'),
        ("labels swapped", 'xlabel=panel["x"], ylabel=panel["y"]',
         'xlabel=panel["y"], ylabel=panel["x"]'),
        ("limits swapped", 'xlim=panel["xlim"], ylim=panel["ylim"]',
         'xlim=panel["ylim"], ylim=panel["xlim"]'),
        ("no titles", 'ax.set_title(panel["title"], fontsize=10)', "pass"),
        ("a waterfall from zero", "barh(k, x, left=start,", "barh(k, x, left=0,"),
        ("a waterfall's total is 0", "ax.barh(len(v), start,", "ax.barh(len(v), 0,"),
        ("negative bars look positive",
         'COLORS[c if x >= 0 else mark["negative"]]', "COLORS[c]"),
        ("another bar stands out", "alphas[:] = 0.45", "alphas[:] = 1"),
        ("blue and orange swapped", '"diverging", [(0, "#0173b2")', '"diverging", [(0, "#d55e00")'),
        ("limits of values are ignored", 'mark.get("limits") or ', ""),
        ("the probe at (y, x)", "ax.plot(values[px], values[py],",
         "ax.plot(values[py], values[px],"),
        ("marks in another order", "2 + 0.3 * k /", "2 - 0.3 * k /"),
        ("no margin", "0.05 * (high - low)", "0.0 * (high - low)"),
    ],
    "live/figure/views.py": [
        ("densities times the stretch", "density = base * torch.exp(-log_det)",
         "density = base * torch.exp(log_det)"),
        ("densities of the plane times the stretch", "torch.exp(-log_det[n:]",
         "torch.exp(log_det[n:]"),
        ("a mean log-det of the wrong sign", '"stretch": torch.trapezoid(base * log_det, z)',
         '"stretch": -torch.trapezoid(base * log_det, z)'),
        ("a mean log-det of the plane of the wrong sign", '"stretch": log_det[:n].mean()',
         '"stretch": -log_det[:n].mean()'),
        ("folding is never reported", "(det.amin() < 0) & (det.amax() > 0)",
         "(det.amin() < 0) & (det.amax() < 0)"),
        ("a mirror is a fold", "(det.amin() < 0) & (det.amax() > 0)", "det.amin() < 0"),
        ("wrong log-dets of the plane are never reported",
         'values["off"] = torch.abs(log_det - exact).amax()',
         'values["off"] = 0 * exact.amax()'),
        ("the determinant's other diagonal", "- rows[0][:, 1] * rows[1][:, 0]",
         "+ rows[0][:, 1] * rows[1][:, 0]"),
    ],
    "live/compiler/js/often.js": [
        ("no bias", "memory.set(bias, n);", ""),
        ("a bias of the row before, in plain script", "a[i + j] + bias[j]", "a[i + j] + bias[0]"),
        ("a gate at the wrong numbers", "simd.gate(0, 4 * at, 4 * at)", "simd.gate(0, 0, 4 * at)"),
        ("an open gate at 0, in plain script", "a[k] <= 0", "a[k] < 0"),
        ("sums of columns without the last row", "let p = j; p < n; p += width) {",
         "let p = j; p < n - width; p += width) {"),
        ("the last columns not summed", "for (; j < width; j++) {", "for (; j < width - 1; j++) {"),
        ("a turned product as it lies there", "simd.turned(", "simd.multiply("),
        ("one row less of a narrow product", "for (let i = 0, o = 0; i < M; i++)",
         "for (let i = 0, o = 0; i < M - 1; i++)"),
    ],
    "live/compiler/js/matmul.js": [
        ("the last row of an odd product in WebAssembly", "atOut + M * N)",
         "atOut + (M & ~1) * N)"),
        ("the last row of an odd product without it", "for (; i < M; i++) for",
         "for (; i < M - 1; i++) for"),
        ("the last columns", "for (; j < N; j++) {", "for (; j < N - 1; j++) {"),
        ("a slice's offset", "from.subarray(offset, offset + rows * columns)",
         "from.subarray(0, rows * columns)"),
        ("too few rows for the module", "(M + 3) & ~3", "M & ~3"),
    ],
}  # fmt: skip


@dataclass(frozen=True)
class PageMutant:
    """A fault: see `TABLE`. Without `tests`, those that guard the file must notice it."""

    path: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...] = ()


def faults_of_once(root: Path) -> list[PageMutant]:
    """Read the faults that tests/faults.toml puts back.

    Args:
        root: The repository.

    Returns:
        Each with its one test: that which is named with it, or else the first of its row.
    """
    found = []
    table = tomllib.loads((root / ONCE).read_text(encoding="utf-8"))
    for name, row in table.items():
        for path, old, new, *named in row.get("again", []):
            (test,) = [t for t in row["tests"] if t.split("::")[-1] in named] or row["tests"][:1]
            found.append(PageMutant(path, f"{name}: {row['was']}", old, new, (test,)))
    return found


MUTANTS = [PageMutant(path, *row) for path, rows in TABLE.items() for row in rows]
MUTANTS += faults_of_once(ROOT)


def as_mutant(fault: PageMutant, source: str) -> mutants.Mutant:
    """A fault as a change of its file's text.

    Args:
        fault: One of `MUTANTS`.
        source: The file's text.

    Returns:
        The change, as tools/mutants.py applies and remembers it.

    Raises:
        ValueError: The old text does not stand in the file exactly once.
    """
    if (count := source.count(fault.old)) != 1:
        raise ValueError(f"{fault.path} has {count} times {fault.old!r} ({fault.what})")
    start = len(source[: source.index(fault.old)].encode())
    line = source[: source.index(fault.old)].count("\n") + 1
    end = start + len(fault.old.encode())
    return mutants.Mutant(line, start, end, " ".join(fault.old.split()), fault.what, fault.new)


def try_file(
    path: str, tests: tuple[str, ...], faults: list[PageMutant], options
) -> list[PageMutant]:
    """Try faults of one file.

    Args:
        path: The file.
        tests: Those that must notice; none stands for those that guard the file.
        faults: The faults.
        options: `root`, `workers`, `limit` and `quick`.

    Returns:
        Those that no test noticed.
    """
    source = (options.root / path).read_text(encoding="utf-8")
    chosen = [as_mutant(fault, source) for fault in faults]
    guards = list(tests) or GUARDS[path]
    print(f"{path}, by {' '.join(guards)}", flush=True)
    pairs = [(path, mutant) for mutant in chosen]
    results = mutants.results_of(pairs, {path: source}, guards, options)
    return [fault for fault, result in zip(faults, results, strict=True) if result == "passed"]


def main(given: list[str] | None = None) -> int:
    """Try the faults.

    Args:
        given: The command line; by default the program's own.

    Returns:
        0 if each was noticed, 1 if not, 2 if they could not be tried.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only faults of these files, or with these words")
    parser.add_argument("--workers", type=int, default=1, help="how many at once (default 1)")
    asked = parser.parse_args(given)
    options = SimpleNamespace(root=ROOT, workers=asked.workers, limit=None, quick=False)
    words = asked.words or [""]
    chosen = [m for m in MUTANTS if any(w in m.path or w in m.what for w in words)]
    alive = []
    try:
        for place in dict.fromkeys((m.path, m.tests) for m in chosen):
            alive += try_file(*place, [m for m in chosen if (m.path, m.tests) == place], options)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    for fault in alive:
        print(f"ALIVE: {fault.path}: {fault.what}: {fault.old!r} -> {fault.new!r}")
    print(f"{len(chosen) - len(alive)} of {len(chosen)} killed")
    return int(bool(alive))


if __name__ == "__main__":
    mutants.run_as_program(main)
