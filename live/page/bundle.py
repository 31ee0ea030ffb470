"""The JavaScript parts joined into one text. They are plain functions; their order is fixed."""

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path

from ..compiler import runtime

JS = Path(__file__).parent / "js"
PARTS = ("theme.js", "template.js", "plot.js", "marks.js", "controls.js", "figure.js")


QUOTED = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`")


def thin(script: str) -> str:
    """Our own scripts without comments, indents and needless blanks; one line stays one line.

    Args:
        script: In the style of `js/`: comments have lines of their own, or end a line and hold no
            quotes; no text or template goes over a line's end.

    Returns:
        A script that does the same.

    Example:
        >>> thin('// Note.\\nif (a) {\\n  f("x  =  y", b + +c); // so\\n}\\n')
        'if(a){\\nf("x  =  y",b + +c);\\n}\\n'
    """
    script = re.sub(r"(?m)^\s*//.*\n|^\s+", "", script)
    script = re.sub(r"(?m) +//[^\"'`\n]*$", "", script)
    made, end = [], 0
    for quoted in QUOTED.finditer(script):
        made += [_squeeze(script[end : quoted.start()]), quoted[0]]
        end = quoted.end()
    return "".join([*made, _squeeze(script[end:])])


def _squeeze(code: str) -> str:
    """Without blanks beside signs; not beside + and -, which may stand twice."""
    return re.sub(r" *([=*<>?:;,{}()&|!]) *", r"\1", code)


@cache
def library() -> str:
    """All of the page's code: plain functions, joined in a fixed order."""
    return "\n".join([runtime.text(), *((JS / part).read_text(encoding="utf-8") for part in PARTS)])


@cache
def css() -> str:
    """The style sheet of figures, see `thin_css`."""
    return thin_css((JS / "figure.css").read_text(encoding="utf-8"))


def thin_css(text: str) -> str:
    """A style sheet without comments and needless blanks.

    Example:
        >>> thin_css("/* Note. */ a  { color: red; }")
        'a{color:red;}\\n'
    """
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" *([{};,]) *|(:) +", r"\1\2", text).replace("}", "}\n").strip() + "\n"


@cache
def widget() -> str:
    """The anywidget module: the library, and `render`."""
    return thin(f"{library()}\n{(JS / 'widget.js').read_text(encoding='utf-8')}")


@cache
def site() -> str:
    """The script of a page without a kernel: the library, and what mounts figures."""
    own = [(JS / name).read_text(encoding="utf-8") for name in ("model.js", "site.js")]
    inside = "\n".join([library(), *own])
    return thin(f"(() => {{\n{inside}\n}})();\n")


def figure_id(code, spec, data) -> str:
    """A short hash of a figure."""
    whole = json.dumps([code, spec, data], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def script(code, spec, data) -> str:
    """A classic script that hands one figure to the page. (Works from file:// too.)"""
    name, about = figure_id(code, spec, data), json.dumps(spec, ensure_ascii=True)
    return (
        f'(window.liveFigures ??= {{}})["{name}"] = {{\nspec: {about},\n'
        f"data: {json.dumps(data)},\nmake: {code}\n}};\n"
    )


def page(code, spec, data, png: bytes) -> str:
    """A self-contained page with one figure."""
    name = figure_id(code, spec, data)
    picture = base64.b64encode(png).decode()
    alt, caption = html.escape(spec["alt"], quote=True), html.escape(spec["caption"])
    foot = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{alt or "Live figure"}</title>
<style>
body {{ margin: 0 auto; max-width: 64rem; padding: 1rem; font-family: system-ui, sans-serif; }}
figure {{ margin: 0; }}
img {{ max-width: 100%; }}
@media (prefers-color-scheme: dark) {{ html {{ background: #14181e; color: #ced6dd; }} }}
{css()}
</style>
</head>
<body>
<main>
<h1 class="live-spoken">{alt or "Live figure"}</h1>
<figure id="figure">
<img data-live="{name}" src="data:image/png;base64,{picture}" alt="{alt}">
{foot}
</figure>
</main>
<script>{safe(script(code, spec, data))}</script>
<script>{safe(site())}</script>
</body>
</html>
"""


def safe(text: str) -> str:
    """JavaScript that can neither end nor hide the script element around it.

    (In a string, a template, a pattern or a comment \\x3c means the same as what it replaces.)
    """
    return re.sub("<(?=/script|script|!--)", r"\\x3c", text, flags=re.IGNORECASE)
