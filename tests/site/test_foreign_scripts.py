"""Scripts that come in by Markdown, captions, alt texts or outputs do not run on the site."""

import json
import re
from pathlib import Path

import course_site
import nbformat
import pytest
from browser import serve_folder
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

# One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
PNG += "rkJggg=="
RAN = "(window.ran ??= []).push"


def call(where: str) -> str:
    return f'{RAN}("{where}")'


def script(where: str) -> str:
    return f"<script>{call(where)}</script>"


MARKDOWN = f"""# Foreign scripts

Text before. {script("inline")}

{script("block")}

<div onclick='{call("click")}' onmouseover='{call("over")}'>a div</div>
<img src="nothing.png" alt="none" onerror='{call("error")}'>
<a id="link" href='javascript:{call("link")}'>a link</a>
<a id="spaced" href=' JavaScript:{call("spaced")}'>a link</a>
<iframe srcdoc='{script("frame")}'></iframe>
<svg><script>{call("svg")}</script></svg>
<script type="module">{call("module")}</script>
<script src="data:text/javascript,{RAN}('data')"></script>
<script src="https://example.org/far.js"></script>
<script src="_downloads/near.js"></script>
<meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline'">
<base href="_downloads/">

$$x = \\text{{<script>window.ran=1</script>}}$$
"""


def notebook() -> dict:
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
    made = v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    made.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    return json.loads(nbformat.writes(made))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(Folder of a site with one page full of scripts, the warnings of its build.)"""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "intro.ipynb").write_text(json.dumps(notebook()), encoding="utf-8")
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'sphinx_book_theme', 'sphinx_togglebutton', 'sphinx_copybutton',"
        "              'course_site', 'live.page.site']\nhtml_theme = 'sphinx_book_theme'\n"
        "nb_execution_mode = 'off'\nroot_doc = 'intro'\n"
        "html_title = 'Scripts'\nmyst_enable_extensions = ['dollarmath']\n",
        encoding="utf-8",
    )
    told = tmp_path_factory.mktemp("log") / "warnings.txt"
    with told.open("w", encoding="utf-8") as warnings, docutils_namespace():
        app = Sphinx(source, source, out, source / "trees", "html", status=None, warning=warnings)
        (out / "_downloads").mkdir(exist_ok=True)
        (out / "_downloads" / "near.js").write_text(call("near"), encoding="utf-8")
        app.build()
    return out, told.read_text(encoding="utf-8")


def test_each_is_left_out_with_a_warning(built):
    out, warnings = built
    soup = BeautifulSoup((out / "intro.html").read_text(encoding="utf-8"), "html.parser")
    for tag in soup.find_all("script", src=False):
        assert RAN not in (tag.string or ""), tag
    for tag in soup.find_all("script", src=True):
        assert tag["src"].startswith(("_static/", "searchindex.js")), tag
    for where in ("inline", "block", "click", "error", "svg", "module", "html", "link", "spaced"):
        assert re.search(rf"intro: a script in .*{where}", warnings), where
    assert "example.org/far.js" in warnings and "near.js" in warnings


def test_the_policy_names_only_the_scripts_of_the_build(built):
    out, _ = built
    soup = BeautifulSoup((out / "intro.html").read_text(encoding="utf-8"), "html.parser")
    policies = soup.select('head > meta[http-equiv="Content-Security-Policy"]')
    assert len(policies) == 1
    inline = [tag.string for tag in soup.find_all("script", src=False)]
    assert inline and all(map(course_site.is_known, inline))
    named = re.findall(r"'sha256-[^']+'", policies[0]["content"])
    assert len(named) == len(set(inline))


def test_none_runs_in_a_browser(built, chromium):
    out, _ = built
    context = chromium.new_context()
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    with serve_folder(out) as address:
        page.goto(f"{address}/intro.html")
        page.wait_for_load_state("networkidle")
        for text in ("a div", "a link"):
            page.get_by_text(text).first.click(force=True)
        page.locator("#spaced").click(force=True)
        assert page.evaluate("window.ran ?? []") == []
        assert page.evaluate("[...document.querySelectorAll('iframe')]"
                             ".every(f => !f.contentWindow.ran)")  # fmt: skip
        # The page's own scripts do run.
        assert page.evaluate("document.documentElement.dataset.theme") in {"light", "dark", "auto"}
        assert page.evaluate("DOCUMENTATION_OPTIONS.pagename") == "intro"
    context.close()


def test_the_policy_alone_stops_an_inline_script():
    """Even if a script is not found and left out: it is not hashed."""
    html = f"<html><head><meta charset='utf-8'></head><body>{script('left')}</body></html>"
    soup = BeautifulSoup(html, "html.parser")
    course_site.set_policy(soup)
    policy = soup.select_one("meta[http-equiv]")["content"]
    assert "sha256" not in policy and "unsafe-inline" not in policy.split("script-src")[1]


def test_a_page_cannot_pass_as_finished_by_its_text():
    html = '<html><head></head><body><meta http-equiv="Content-Security-Policy"></body></html>'
    assert not course_site.is_finished(BeautifulSoup(html, "html.parser"))


def test_every_script_of_the_built_site_is_known():
    pages = Path(__file__).resolve().parents[2].glob("_build/html/**/*.html")
    for page in (page for page in pages if "_static" not in page.parts):
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        for tag in soup.find_all("script", src=False):
            if tag.get("type") in course_site.JAVASCRIPT:
                assert course_site.is_known(tag.string), f"{page.name}: {tag.string[:80]}"
