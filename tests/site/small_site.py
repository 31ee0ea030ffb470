"""A site of few pages, built as the course's is: one full of foreign scripts, and a chapter."""

import base64
from pathlib import Path

import nbformat
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

BASE = "https://somewhere.org/course/"
# One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
PNG += "rkJggg=="
DARK = base64.b64encode(b"dark").decode()
RAN = "(window.ran ??= []).push"


def call(where: str) -> str:
    return f'{RAN}("{where}")'


def script(where: str) -> str:
    return f"<script>{call(where)}</script>"


MARKDOWN = f"""# Foreign scripts

Text before, and $y$. {script("inline")}

{script("block")}

<div onclick='{call("click")}' onmouseover='{call("over")}'>a div</div>
<img src="nothing.png" alt="none" onerror='{call("error")}'>
<a id="link" href='javascript:{call("link")}'>a link</a>
<a id="spaced" href=' JavaScript:{call("spaced")}'>a link</a>
<iframe srcdoc='{script("frame")}'></iframe>
<svg><script>{call("svg")}</script></svg>
<script type="module">{call("module")}</script>
<script type="">{call("untyped")}</script>
<script type="Text/ECMAScript">{call("ecma")}</script>
<script type="application/json">["data"]</script>
<script src="data:text/javascript,{RAN}('data')"></script>
<script src="https://example.org/far.js"></script>
<script src="_downloads/near.js"></script>
<meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline'">
<base href="_downloads/">
<div class="sd-card"><a href="chapters/1_one.html">a card</a></div>

$$x = \\text{{<script>window.ran=1</script>}}$$
"""


def with_scripts() -> str:
    """A notebook that tries it by its text, its metadata and its outputs."""
    v4 = nbformat.v4
    figure = {
        "figure": {"caption": f"A caption {script('caption')}", "name": "fig-a"},
        "image": {"alt": f'An alt text "{script("alt")}" onerror="{call("alt attribute")}"'},
    }
    outputs = [
        [v4.new_output("display_data", {"image/png": PNG})],
        [v4.new_output("display_data", {"text/html": f"<b>html</b>{script('html')}"})],
        [v4.new_output("display_data", {"application/javascript": call("javascript")})],
        [v4.new_output("stream", text=script("printed"))],
        [v4.new_output("display_data", {"text/markdown": f"*markdown* {script('markdown')}"})],
        [v4.new_output("display_data", {"text/latex": f"$a$ {script('latex')}"})],
    ]
    cells = [v4.new_markdown_cell(MARKDOWN)]
    for k, output in enumerate(outputs):
        metadata = {"mystnb": figure} if not k else {}
        cells.append(v4.new_code_cell(f"show({k})", outputs=output, metadata=metadata))
    cells.append(v4.new_raw_cell(script("raw"), metadata={"format": "text/html"}))
    return written(cells)


def written(cells: list) -> str:
    """A notebook's text."""
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    made.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return nbformat.writes(made)


CHAPTER = r"""# One

The first
words. A *nat* is a nat.

$$x^2 = \foreign$$

## More

[The end](2_left_out.ipynb) is left out.

**My guess.** A question?

- A: this

<details class="guess"><summary>Answer</summary></details>
"""
GLOSSARY = """# Glossary

```{glossary}
nat
  A unit.
```
"""
SETTINGS = f"""
extensions = ['myst_nb', 'sphinx_book_theme', 'sphinx_togglebutton', 'sphinx_copybutton',
              'course_site', 'live.page.site']
html_theme = 'sphinx_book_theme'
html_baseurl = '{BASE}'
html_title = 'Scripts'
nb_execution_mode = 'off'
root_doc = 'intro'
exclude_patterns = ['chapters/2*']
myst_enable_extensions = ['dollarmath']
"""


def chapter() -> str:
    """A chapter with a formula, a term of the glossary, and a picture for dark pages."""
    v4 = nbformat.v4
    picture = v4.new_output("display_data", {"image/png": PNG}, metadata={"dark": DARK})
    cells = [v4.new_markdown_cell(CHAPTER), v4.new_code_cell("show()", outputs=[picture])]
    return written(cells)


def build(folder: Path) -> tuple[Sphinx, Path, str]:
    """Build it.

    Args:
        folder: An empty folder.

    Returns:
        Sphinx's application, the site's folder, and what was warned of.
    """
    source, out, told = folder / "source", folder / "site", folder / "warnings.txt"
    files = {"intro.ipynb": with_scripts(), "chapters/1_one.ipynb": chapter(),
             "chapters/2_left_out.ipynb": "", "glossary.md": GLOSSARY,
             "conf.py": SETTINGS}  # fmt: skip
    for name, text in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text, encoding="utf-8")
    with told.open("w", encoding="utf-8") as warnings, docutils_namespace():
        app = Sphinx(source, source, out, folder / "trees", "html", status=None, warning=warnings)
        (out / "_downloads").mkdir(exist_ok=True)
        (out / "_downloads" / "near.js").write_text(call("near"), encoding="utf-8")
        app.build()
    return app, out, told.read_text(encoding="utf-8")
