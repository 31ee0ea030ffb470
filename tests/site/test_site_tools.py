"""What the site's tools make of a page, on small pages: no built site is needed."""

import base64
import hashlib
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import afterword
import book
import course_site
import formulas
import found
import page_weight
import paper
import pytest
import reading
import report
import short_form
import yaml
from bs4 import BeautifulSoup
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
BASE = "https://you.github.io/course/"


def soup(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def page(body: str) -> BeautifulSoup:
    return soup(f'<article class="bd-article">{body}</article>')


# -- Code --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "folded"),
    [
        ('def f():\n    """One.\n\n    Two.\n    """\n    return 1', {2: 0, 3: 1, 4: 1, 5: 1}),
        ('def f():\n    """One.\n    Two."""\n    return 1', {}),
        ('def f():\n    """One.\n\n    Two."""\n    return 1', {}),
        ("def f(x):\n    check_a(x)\n    check_b(x)\n    return x", {2: 1, 3: 1}),
        ("def f(x):\n    check_a(x)\n\n    check_b(x)\n    return x", {2: 1, 3: 1, 4: 1}),
        ("def f(x):\n    check_a(x)\n    return x", {}),
        ("def f(x):\n    # Why.\n    if x:\n        raise E\n    return x", {2: 1, 3: 1, 4: 1}),
        ("def f(x):\n    if x:\n        raise E\n    else:\n        x = 1\n    return x", {}),
        (
            "def f(x):\n    a = g(x)\n    if a:\n        raise E(a)\n    return x",
            {2: 1, 3: 1, 4: 1},
        ),
        ("def f(x):\n    a = g(x)\n    if a:\n        raise E(a)\n    return a", {3: 1, 4: 1}),
        ("def check_x(x):\n    y = x\n    return y", {2: 1, 3: 1}),
        ("def check_x(x):\n    @cache\n    def f(): pass\n    return f", {2: 1, 3: 1, 4: 1}),
        (
            'class A:\n    """One.\n\n    Two.\n    """\n    def f(self, x):\n'
            "        self.check_a(x)\n        flows.check_b(x)\n        return x",
            {3: 1, 4: 1, 5: 1, 7: 1, 8: 1},
        ),
        ("def f(x):\n    x = g(x)\n    x = h(x)\n    return x", {}),
        ("x = 1\nif x:\n    raise E\n", {}),
        ("%pip install x\n", {}),
    ],
)
def test_what_is_folded(code, folded):
    wanted = {line for line, is_folded in folded.items() if is_folded}
    assert set(short_form.folded_lines(code)) == wanted


def test_a_fold_keeps_the_text_and_its_markup():
    code = 'def f(x):\n    """One &amp; two.\n\n    Three.\n    """\n    <b>return</b> x\n'
    made = soup(f"<pre><span></span>{code}</pre>").pre
    before = made.get_text()
    short_form.shorten(made)
    assert made.get_text() == before and made.b.get_text() == "return"
    rest = made.select_one("details.rest")
    assert rest.get_text() == '\n    Three.\n    """\n'
    assert rest.summary["data-says"] == rest.summary["aria-label"] == "docstring"
    assert rest.summary["style"] == "--indent: 4", "the mark stands where the text does"


def test_a_fold_says_of_what():
    code = 'def f(x):\n    """One.\n\n    Two.\n    """\n    check_a(x)\n    return x'
    made = soup(f"<pre>{code}</pre>").pre
    short_form.shorten(made)
    assert [part["data-says"] for part in made.select("summary")] == ["docstring and checks"]
    assert made.get_text() == code
    plain = soup("<pre>x = 1</pre>").pre
    short_form.shorten(plain)
    assert str(plain) == "<pre>x = 1</pre>"


CAPTION = '<figcaption><span class="caption-number">Fig. 3.7 </span></figcaption>'


def cell(code: str, output: str = "", tags: str = "tag_hide-input") -> str:
    code = f'<div class="cell_input"><pre>{code}</pre></div>'
    if "hide" in tags:
        code = f'<details class="hide"><summary>Show</summary>{code}</details>'
    return f'<div class="cell {tags}">{code}{output}</div>\n'


def figure(caption: str = CAPTION) -> str:
    return f'<div class="cell_output"><figure>{caption}</figure></div>'


def test_folds_in_a_row_become_one():
    made = page(cell("a = 1") + cell("b = 2", figure()) + "<p>text</p>" + cell("def f(): pass"))
    reading.name_folds(made)
    folds = made.select("details.fold")
    assert [fold.summary.get_text() for fold in folds] == ["Code of Fig. 3.7", "Code: f"]
    assert [pre.get_text() for pre in folds[0].select("pre")] == ["a = 1", "b = 2"]
    assert len(made.select("div.cell")) == 2


def test_each_fold_has_a_name_of_its_own():
    made = page(
        cell("x.show()", figure('<p class="caption-number">Fig. 2</p>')) + "<p>1</p>"
        + cell("a = b = 1\n_ = c, d = 2") + "<p>2</p>"
        + cell("p, q = 1\nr = s = 2\nprint(t)") + "<p>3</p>"
        + cell("print(1)", '<div class="cell_output">1</div>') + "<p>4</p>"
        + cell("print(1)", figure("")) + cell("if") + "<p>5</p>" + cell("y = [k for k in z]")
    )  # fmt: skip
    reading.name_folds(made)
    assert [fold.summary.get_text() for fold in made.select("details.fold")] == [
        "Code of this output", "Code: a, b, c, ...", "Code: p, q, r, ...", "Code of this output",
        "Code of this output", "Code", "Code: y",
    ]  # fmt: skip


def test_the_set_up_is_one_line_where_it_stood():
    output = '<div class="cell_output"><img src="a.png"></div>'
    made = page(
        "<section><h1>One</h1><p>Text.</p>" + cell("import a", tags="tag_setup")
        + cell("b = 1", tags="") + cell("c = 1", output, tags="")
        + "<section><h2>Two</h2>" + cell("d = 1", tags="") + "</section></section>"
    )  # fmt: skip
    reading.fold_set_up(made)
    (fold,) = made.select("details.fold")
    assert fold.summary.get_text() == reading.SET_UP
    assert [pre.get_text() for pre in fold.select("pre")] == ["import a", "b = 1", "c = 1"]
    assert fold.find_previous("p").get_text() == "Text.", "below the opening's text"
    cells = made.select("div.cell")
    assert len(cells) == 3 and cells[1].img, "a picture stays"
    assert cells[2].get_text().strip() == "d = 1" and not cells[2].details
    without = "<section>" + cell("import a", tags="") + "</section>"
    made = page(without)
    reading.fold_set_up(made)
    assert not made.details, "a page whose code is the lesson"


def test_only_long_code_may_break_on_paper():
    made = page(cell("\n" * 45, tags="") + cell("\n" * 46, tags=""))
    reading.mark_long_code(made)
    short, long = made.select(".cell_input")
    assert short["class"] == ["cell_input"] and long["class"] == ["cell_input", "long-code"]


# -- Text --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, together",
    [
        ("If {a}?), then {b} or {c}, d.", ["a?),", "c,"]),
        ("Far ({a} is 1) or f({b}), so “{c}”, (<b>d</b>).", ["(a", "b),", "“c”,"]),
    ],
)
def test_marks_stay_with_their_formula(text, together):
    made = page(re.sub("{(.)}", r"<span class='math'>\1</span>", f"<p>{text}</p>"))
    before = made.get_text()
    reading.keep_marks_together(made)
    assert made.get_text() == before
    assert [tag.get_text() for tag in made.select(".with-mark")] == together


@pytest.mark.parametrize(
    "text, bound",
    [
        (
            "<p>With 95 % or 5\n% of a %, see <a>chapter\n5</a>, Fig. 5.9. Chapters 2 3</p>",
            "With 95~% or 5~% of a %, see chapter~5, Fig.~5.9. Chapters 2 3",
        ),
        ("<pre>95 %, chapter 5</pre>", "95 %, chapter 5"),
        (
            "<p>Let z = 0 at log q = −0.5: x = y, a log of p, and log p(x) > 3, %</p>",
            "Let z~=~0 at log~q~=~−0.5: x = y, a log of p, and log~p(x) >~3,~%",
        ),
        (
            "<p>To s + tanh s, of shape (n, D) or (−0.5, 2), (so, of course) at most 0.3</p>",
            "To s + tanh~s, of shape (n,~D) or (−0.5,~2), (so, of course) at~most~0.3",
        ),
    ],
)
def test_a_number_stays_with_its_unit_and_its_name(text, bound):
    """(~ is a space in which no line ends.)"""
    made = page(text)
    reading.keep_numbers_together(made)
    assert made.article.get_text() == bound.replace("~", "\u00a0")


def test_a_short_word_is_not_torn_apart_at_its_hyphen_in_a_narrow_place():
    made = page(
        "<h2>A <i>sum</i> of log-dets, or a log-det: <code>log-det</code></h2><p>log-det</p>"
        "<table><td>warm-up, counter-clockwise<pre>warm-up</pre></td></table>"
        '<div class="quiz-question"><p>What is the log-determinant?</p></div>'
        '<li class="toc-entry"><a>Composition adds log-dets</a></li>'
    )
    before = made.get_text()
    reading.keep_hyphens_together(made)
    assert made.get_text() == before
    assert [tag.get_text() for tag in made.select(".with-mark")] == [
        "log-dets",
        "log-det",
        "log-det",
        "warm-up",
        "log-determinant",
        "log-dets",
    ]
    assert not made.select(":not(.quiz-question) > p .with-mark")


def test_a_solutions_title_leads_nowhere():
    made = page('<div class="solution"><p class="admonition-title"><a href="#a">Solution</a> to '
                '<a href="#b">one</a></p><p><a href="#c">there</a></p></div>')  # fmt: skip
    reading.plain_titles(made)
    assert [a["href"] for a in made.select("a")] == ["#c"] and "Solution to one" in made.get_text()


def listed(*works: str) -> str:
    entries = (f'<div class="citation" id="id{k}"><p>{w}</p></div>' for k, w in enumerate(works))
    return f'<div class="citation-list">{"".join(entries)}</div>'


def test_citations_without_a_list_of_their_own_lead_to_the_bibliography(tmp_path):
    link = '<a class="reference internal" href="chapters/1.html#id0">Dinh</a>'
    pages = {
        tmp_path / "intro.html": page(link),
        tmp_path / "chapters" / "1.html": page(listed("Dinh 2014", "Kingma")),
        tmp_path / "bibliography.html": page(listed("Agnelli", "Dinh  2014")),
    }
    for place, made in pages.items():
        reading.lead_citations_home(place, made, pages)
    assert pages[tmp_path / "intro.html"].a["href"] == "bibliography.html#id1"
    own = page(link.replace("chapters/1.html", "other.html") + listed("Kingma"))
    reading.lead_citations_home(tmp_path / "a.html", own, pages)
    assert own.a["href"] == "other.html#id0", "a page with a list keeps its links"


def height(body: str) -> float:
    """The height that is guessed for a section on a desk, in rem."""
    made = page(f"<section><section>{body}</section></section>")
    reading.guess_heights(made)
    return int(re.search(r"--guess: (\d+)px", made.section.section["style"])[1]) / 16


def test_what_is_longer_on_the_page_is_guessed_higher():
    lines = [height(f"<pre>{'a' + 9 * k * chr(10)}</pre>") for k in range(4)]
    assert lines == sorted(lines) and 9 < lines[1] - lines[0] < 13, "9 lines of code"
    words = height(f"<p>{'word ' * 72}</p>")  # 5 lines
    assert 6 < words - height("<p>a</p>") < 9
    rest = "<details class='rest'>" + "b\n" * 20 + "</details>"
    assert abs(height(f"<pre>a\n{rest}</pre>") - height("<pre>a\nb</pre>")) < 3, "what is folded"
    folded = f"<details><p>{'word ' * 500}</p></details><div class='solution'><p>a</p></div>"
    assert height(folded) - height("") < 6, "a folded solution is one line"
    formula = rf"<p>a <span class='math notranslate'>\({'x + ' * 500}x\)</span></p>"
    assert height(formula) == height("<p>a</p>"), "TeX is longer than what it draws"
    wide = height('<img width="790" height="395">')
    assert 20 < wide - height("") < 32, "half as high as the column is wide"
    assert height('<img width="1580" height="790">') == wide, "no picture is wider than it"
    room = 'data-live="a" style="--more: 75px; --phone: 400px"'
    assert height(f'<img width="790" height="395" {room}>') > wide + 4, "sliders need room"
    assert height("<img>") > height("") and height("<div class='math'></div>") > height("")
    assert height("<ul><li>a</li><li>b</li></ul>") > height("<ul><li>a</li></ul>")


def table(*rows: str, head: str = "<tr><td></td><th>Why</th><th>What</th></tr>") -> BeautifulSoup:
    """A page with a table of these rows."""
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    made = page(f"<article class='bd-article'><table><thead>{head}</thead>{body}</table></article>")
    reading.mark_tables_of_prose(made)
    return made


def test_cells_of_a_table_of_paragraphs_know_their_columns():
    long = "word " * 40
    made = table(f"<td>a</td><td>b</td><td>{long}</td>", "<th>c</th><td colspan='2'>d</td>")
    assert made.table["class"] == ["of-prose"] and made.table["role"] == "table"
    named = [cell.get("data-column") for cell in made.select("tr > *")]
    assert named == [None] * 4 + ["Why", "What"] + [None] * 2
    roles = [cell["role"] for cell in made.select("tr > *")]
    assert roles == ["cell", *["columnheader"] * 2, *["cell"] * 3, "rowheader", "cell"]
    two = table(f"<td>a</td><td>{long}</td>", head="<tr><th>What</th><th>Why</th></tr>")
    assert "of-prose" in two.table["class"] and not two.select("[data-column]")
    assert not table("<td>a</td><td>b</td><td>c</td>").select("[role], .of-prose")
    for rows in ([], [f"<td>{long}</td>"]):
        assert not table(*rows, head="").select("[role]"), "no names, no columns"
    formula = rf"<span class='math notranslate'>\({'x + ' * 100}x\)</span>"
    assert not table(f"<td>a</td><td>b</td><td>{formula}</td>").select(".of-prose"), "TeX is none"


def test_among_many_columns_one_of_sentences_gets_room():
    said = "<td>What does it know of radii that it was not shown before?</td>"
    for others, wanted in ((5, [1]), (4, [])):
        cells = f"<td>a</td>{said}" + "<td>1</td>" * (others - 1)
        made = table(cells, cells, head=f"<tr>{'<th>a</th>' * (others + 1)}</tr>")
        for row in made.select("tbody tr, table > tr"):
            marked = [k for k, cell in enumerate(row.find_all("td")) if cell.get("class")]
            assert marked == wanted


def test_a_bracket_in_a_caption_is_no_side():
    formula = r"<span class='math notranslate'>\(\left(x\right)\)</span>"
    for words, names in (("On the left", True), (formula, False)):
        made = page(f'<figure><img data-live="a" data-rows="2" data-panels="2">'
                    f"<figcaption>{words}</figcaption></figure>")  # fmt: skip
        course_site.say_what_it_holds(made)
        assert bool(made.select("figcaption.names-sides")) == names


def test_code_that_was_put_aside_is_as_it_was():
    listing = (
        "<span></span><span class='k'>def</span> f(x):\n"
        "<details class='rest'><summary></summary><span class='s'>\"a\"</span>\n</details>b"
    )
    made = page(f"<pre>{listing}</pre><pre>plain</pre><div><p>a</p></div>")
    before, text = str(made), made.get_text()
    aside = course_site.put_code_aside(made)
    assert made.get_text() == text and not made.select("pre :not(.rest)")
    assert made.select_one("pre > .rest").get_text() == '"a"\n'
    course_site.put_code_back(aside)
    assert str(made) == before


def test_formulas_on_a_line_of_their_own_can_be_scrolled_by_key():
    made = page(
        r"<div class='math notranslate'>\[x = 1, \qquad y = 2\]</div>"
        r"<p><span class='math notranslate'>\(z\)</span></p>"
    )
    formulas.set_formulas([made])
    keys = [box.get("tabindex") for box in made.select("mjx-container")]
    assert keys == ["0", "0", None]


# -- Search ------------------------------------------------------------------------------------

GLOSSARY = """<section id="glossary"><h1>Glossary<a class="headerlink" href="#glossary">#</a></h1>
<dl class="glossary"><dt id="term-gap">gap</dt><dd><p>What is lost.</p>
<p>Also: amortisation gap, Loss.</p><p><a class="reference internal" href="chapters/1.html#two">
there</a></p></dd></dl></section>"""
CHAPTER = """<section id="one"><h1>First steps</h1><p>Opening</p><p>words</p><pre>import torch</pre>
<img src="../_images/a.png" alt="Two moons.">
<section id="two"><h2>Normalising flows</h2><p>Densities</p><details class="fold">code</details>
<section id="three"><h3>Inner</h3><p>deeper</p></section></section>
<section id="four"><p>no heading</p></section></section>"""


@pytest.fixture
def site(tmp_path) -> dict[Path, BeautifulSoup]:
    """A site's folder, and its pages."""
    Image.new("RGB", (900, 100), "red").save(tmp_path / "a.png")
    bodies = {"glossary": GLOSSARY, "chapters/1": CHAPTER}
    return {tmp_path / f"{name}.html": page(body) for name, body in bodies.items()}


def index_of(out: Path, pages) -> dict:
    found.write_search_index(out, pages)
    text = (out / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def test_the_search_finds_sections(site, tmp_path):
    index = index_of(tmp_path, site)
    assert index["docnames"] == [
        "chapters/1", "chapters/1#two", "chapters/1#three", "glossary", "glossary#term-gap",
    ]  # fmt: skip
    assert index["titles"] == ["First steps", "Normalising flows", "Inner", "Glossary", "gap"]
    assert index["filenames"] == index["docnames"]
    assert index["pages"] == {"chapters/1": "First steps", "glossary": "Glossary"}
    assert index["texts"][:3] == ["Opening words Two moons. no heading", "Densities", "deeper"]
    assert index["alltitles"]["Inner"] == [[2, None]]
    terms, titles = index["terms"], index["titleterms"]
    assert terms["densiti"] == 1 and terms["moon"] == 0 and terms["loss"] == 4
    assert titles["flow"] == 1 and titles["normalis"] == titles["normal"] == 1, "both spellings"
    assert not {"torch", "import", "code"} & {*terms, *titles}
    # Its other words lead to the term and to the sections that it names.
    gap, places = [4, None, True], [[4, None, True], [1, None, True]]
    entries = index["indexentries"]
    assert entries["gap"] == entries["loss"] == places and gap in places
    assert entries["amortisation gap"] == entries["amortization gap"] == places


def test_a_word_that_stands_twice_has_a_list_of_places(tmp_path):
    inner = '<section id="b"><h2>Flow</h2><p>flows</p></section>'
    made = page(f'<section id="a"><h1>Flow</h1><p>flow</p>{inner}</section>')
    index = index_of(tmp_path, {tmp_path / "a.html": made})
    assert index["terms"]["flow"] == index["titleterms"]["flow"] == [0, 1]
    assert index["alltitles"]["Flow"] == [[0, None], [1, None]]
    assert index_of(tmp_path, {tmp_path / "b.html": soup("<p>no article</p>")})["docnames"] == []


@pytest.mark.parametrize(
    ("word", "both"),
    [
        ("normalise", {"normalise", "normalize"}), ("optimizer", {"optimiser", "optimizer"}),
        ("rise", {"rise"}), ("raised", {"raised"}), ("horizon", {"horizon"}),
    ],
)  # fmt: skip
def test_spellings(word, both):
    assert found.spellings(word) == both


# -- Sharing -----------------------------------------------------------------------------------


def test_a_picture_is_whole_on_its_card(tmp_path):
    edges = {(900, 100): (50, 315), (100, 900): (600, 30)}  # where a picture begins
    for size, (x, y) in edges.items():
        Image.new("RGB", size, "red").save(tmp_path / "picture.png")
        found.draw_card(tmp_path / "picture.png", tmp_path / "out" / "card.png", (1200, 630))
        card = Image.open(tmp_path / "out" / "card.png").convert("RGB")
        assert card.size == (1200, 630)
        assert card.getpixel((600, 315)) == (255, 0, 0)
        for at in ((x, y), (1199 - x, 629 - y)):
            assert card.getpixel(at) == (255, 0, 0), "as large as there is room, in the middle"
        for at in ((5, 5), (5, 625), (20, 315) if x == 50 else (600, 5)):
            assert card.getpixel(at) == (255, 255, 255)


def test_the_picture_of_a_page_is_the_wanted_one_or_its_first(tmp_path):
    made = page('<div class="cell_output"><img src="a.svg"></div>'
                '<figure id="fig-b"><img src="b.png"></figure>'
                '<figure id="fig-c"><img src="c.png"></figure>')  # fmt: skip
    chosen = {w: found.picture_of(tmp_path / "a.html", made, w)["src"] for w in ("", "fig-c", "x")}
    assert chosen == {"": "b.png", "fig-c": "c.png", "x": "b.png"}
    assert found.picture_of(tmp_path / "a.html", page("<img src='b.png'>"), "") is None


def introduced(name: str, alts: dict, title: str = "Two — The course") -> dict[str, str]:
    made = soup(f'<head><title>{title}</title><link rel="canonical" href="old">'
                '<meta property="og:image" content="old"><meta name="description" '
                'content="What it says."></head>')  # fmt: skip
    found.introduce(name, made, BASE, "intro", alts, "The course")
    said = {tag.get("property") or tag["name"]: tag["content"] for tag in made.select("meta")}
    (canonical,) = made.select("link[rel=canonical]")
    return said | {"canonical": canonical["href"]}


def test_a_link_to_a_page_shows_its_title_and_picture():
    alts = {"intro": "A ring.", "chapters/2": "A curve."}
    said = introduced("chapters/2", alts)
    assert said["canonical"] == said["og:url"] == f"{BASE}chapters/2.html"
    assert said["og:title"] == "Two" and said["og:site_name"] == "The course"
    assert said["og:type"] == "article" and said["og:description"] == "What it says."
    assert said["og:image"] == f"{BASE}_static/cards/chapters-2.png"
    assert said["og:image:alt"] == "A curve." and said["twitter:card"] == "summary_large_image"
    assert (said["og:image:width"], said["og:image:height"]) == ("1200", "630")
    other = introduced("glossary", alts)
    assert other["og:image"].endswith("cards/intro.png") and other["og:image:alt"] == "A ring."
    root = introduced("intro", alts)
    assert root["canonical"] == BASE and root["og:title"] == "The course"
    assert root["og:type"] == "website"
    assert "og:image" not in introduced("glossary", {})


def test_pages_and_cards_get_their_pictures(site, tmp_path):
    for folder in ("_images", "chapters"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a.png").rename(tmp_path / "_images" / "a.png")
    place = tmp_path / "chapters" / "1.html"
    site[place].img.wrap(site[place].new_tag("figure"))
    alts = found.draw_cards(tmp_path, site, {})
    assert alts == {"chapters/1": "Two moons."}
    sizes = {"cards": (1200, 630), "thumbnails": (480, 300)}
    for folder, size in sizes.items():
        assert Image.open(tmp_path / "_static" / folder / "chapters-1.png").size == size
    links = ("../chapters/1.html#two", "../glossary.html")
    title = '<div class="sd-card-title"> 1. Two moons</div>'
    card = page("".join(f'<div class="sd-card">{title}<a href="{a}">a</a></div>' for a in links))
    for _ in range(2):  # a second time changes nothing
        found.fill_cards(tmp_path / "deep" / "intro.html", card, tmp_path, alts)
    (image,) = card.select("img")
    assert image.find_parent(class_="sd-card").a["href"] == links[0] and not image.previous_sibling
    assert image["src"] == "../_static/thumbnails/chapters-1.png"
    assert image["alt"] == "Two moons." and (image["width"], image["height"]) == ("480", "300")
    (number,) = card.select(".sd-card-title > .number")
    assert number.text == "1." and number.parent.text == "1. Two moons"


def test_a_section_says_where_a_formula_is_left_out():
    formula = r"<span class='math notranslate'>\(J\)</span>"
    body = f"<h2>Why {formula} counts</h2><p>Let {formula} be one.</p>"
    made = page(f"<section id='a'>{body}</section>")
    assert found.sections_of(made) == [("a", "Why … counts", "Let … be one.")]


def test_the_small_picture_of_a_wide_one_is_its_last_panel():
    """Three panels and a line of words below them: in a card they would be a strip."""
    wide = Image.new("RGB", (900, 300), "white")
    for k, color in enumerate(("red", "green", "blue")):
        wide.paste(color, (20 + 300 * k, 20, 270 + 300 * k, 240))
    for left in range(0, 900, 8):  # letters
        wide.paste("black", (left, 270, left + 5, 280))
    small = found.last_panel(wide)
    assert {color for _, color in small.getcolors()} == {(255, 255, 255), (0, 0, 255)}
    assert small.width < 300 and small.height <= 270
    for whole in (wide.crop((0, 0, 600, 300)), Image.new("RGB", (900, 300), "red")):
        assert found.last_panel(whole) is whole


def test_the_map_and_the_page_for_the_lost(site, tmp_path):
    names = ["intro", "chapters/1", "search", "index", "404"]
    found.write_map(tmp_path, {tmp_path / f"{n}.html": None for n in names}, BASE, "intro")
    text = (tmp_path / "sitemap.xml").read_text(encoding="utf-8")
    assert re.findall(r"<loc>(.+?)</loc>", text) == [f"{BASE}chapters/1.html", BASE]
    chapters = [("chapters/1", "Heads & tails")]
    found.write_lost_page(tmp_path, BASE, "A <course>", chapters)
    lost = soup((tmp_path / "404.html").read_text(encoding="utf-8"))
    links = {a["href"]: a.get_text() for a in lost.select("a")}
    assert links == {"/course/": "A <course>", "/course/chapters/1.html": "Heads & tails"}
    assert lost.form["action"] == "/course/search.html"
    assert lost.title.get_text() == "Not found — A <course>"


def test_a_page_that_moved_is_found_at_its_old_address(tmp_path, monkeypatch):
    moved = {"a/1_old": "a/2_new", "a/3_gone": "a/4_left_out", "a/5_new": "a/2_new"}
    monkeypatch.setattr(found, "MOVED", moved)
    (tmp_path / "a").mkdir()
    found.write_forwards(tmp_path, BASE, [("a/2_new", "Heads & tails"), ("a/5_new", "Five")])
    assert [page.name for page in tmp_path.rglob("*.html")] == ["1_old.html"]
    page = soup((tmp_path / "a" / "1_old.html").read_text(encoding="utf-8"))
    assert (page.a["href"], page.a.get_text()) == ("2_new.html", "Heads & tails")
    assert page.select_one("link[rel=canonical]")["href"] == f"{BASE}a/2_new.html"
    assert page.noscript.meta["content"].endswith("url=2_new.html")
    digest = base64.b64encode(hashlib.sha256(page.script.string.encode()).digest()).decode()
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_public_address(monkeypatch):
    assert found.public_address(SimpleNamespace(html_baseurl="https://a.b/c")) == "https://a.b/c/"
    monkeypatch.setattr(found, "address", lambda: "https://github.com/you/course")
    assert found.public_address(SimpleNamespace(html_baseurl="")) == BASE


# -- The theme ---------------------------------------------------------------------------------


def test_scripts_wait_for_the_text():
    scripts = [
        "_static/documentation_options.js?v=1",
        "_static/scripts/fontawesome.js",
        "_static/search.js",
        "_static/searchtools.js",
        "searchindex.js",
        "_static/a.js",
    ]
    html = "".join(f'<script src="{name}"></script>' for name in scripts)
    html += '<link rel="preload" href="_static/scripts/fontawesome.js?v=2">'
    html += '<button onclick="window.print()"></button><button onclick="other()"></button>'
    html += '<meta name="viewport" content="1"><meta name="viewport" content="2">'
    for is_search in (False, True):
        made = soup(html)
        course_site.tidy_scripts(made, is_search)
        left = {tag["src"]: tag.has_attr("defer") for tag in made.select("script")}
        ordered = [scripts[k] for k in ((0, 3, 2, 4, 5) if is_search else (0, 5))]
        assert list(left) == ordered and not made.select("link")
        assert left == {name: name != scripts[0] for name in ordered}
        assert [(b.get("onclick"), b.get("data-click")) for b in made.select("button")] == [
            (None, "print"), ("other()", None),
        ]  # fmt: skip
        assert [tag["content"] for tag in made.select("meta")] == ["1"]


def test_the_theme_is_mended_for_screen_readers():
    made = soup(
        '<div id="ethical-ad-placement"></div><div id="pst-primary-sidebar"></div>'
        '<button class="search-button__button" aria-label="a">Search'
        '<span class="search-button__kbd-shortcut">K</span></button>'
        '<details><summary aria-label="b">Contents</summary></details>'
        '<button title="Print"> <i></i></button><button title="Go">Go there</button>'
        '<button title="Sun" aria-label="Theme"></button>'
        '<div class="citation-list" role="list"><div role="doc-biblioentry"></div></div>'
        "<table><tr><th>\n</th><th>a</th><th><img></th></tr></table>"
        '<div class="highlight"><pre>a</pre></div><div class="cell_output"><div class="output">'
        "</div></div><pre></pre>"
    )
    course_site.mend_accessibility(made)
    assert not made.select("#ethical-ad-placement") and not made.select("[role^=doc], [role=list]")
    sidebar = made.select_one("#pst-primary-sidebar")
    assert (sidebar["role"], sidebar["aria-label"]) == ("complementary", "Book")
    search, *buttons = made.select("button")
    assert not search.has_attr("aria-label") and search.span["aria-hidden"] == "true"
    assert not made.summary.has_attr("aria-label")
    assert [b.get("aria-label") for b in buttons] == ["Print", None, "Theme"]
    assert [tag.name for tag in made.select("tr > *")] == ["td", "th", "th"]
    assert [tag["tabindex"] for tag in made.select("[tabindex]")] == ["0"] * 2
    assert made.select("pre")[-1].attrs == {}


def described(text: str | None, **context) -> str:
    app = SimpleNamespace(config=SimpleNamespace(html_title="The course"))
    doctree = None
    if text is not None:
        from docutils.core import publish_doctree

        doctree = publish_doctree(text)
    course_site.describe(app, "search", "", context, doctree)
    return soup(context["metatags"]).select_one("meta[name=description]")["content"]


def test_a_page_is_described_by_its_first_paragraph():
    assert described("Title\n=====\n\nOne\ntwo.\n\nThree.") == "One two."
    assert described(None, title="Search") == "Search: The course"
    assert described(None) == "search: The course" and described("") == "The course"
    assert described("a" * 160) == "a" * 160 and len(described("a " * 80 + "b")) <= 160
    long = described("word " * 50)
    assert long == "word " * 30 + "word..." and len(long) <= 160
    assert described("a", metatags="<meta name='b'>") == "a"


STYLES = {
    "styles/a.css": '@charset "utf-8"; @import url("sub/b.css"); .used, .gone { top : 0; }\n'
                    "/* .used { left: 0 } */ .used::after { content: '};{' } #gone { top: 1px }"
                    ".used { background: url('../img/c.png') } .x:not(.gone) { top: 2px }",
    "styles/sub/b.css": "p { background: url(data:abc) } @media print { .gone { top: 0 } "
                        ".used[data-a='.gone'] { top: 3px } } @font-face { src: url(d.woff) }",
}  # fmt: skip


def test_a_page_carries_one_style_sheet_of_what_it_uses(tmp_path):
    static = tmp_path / "_static"
    for name, text in STYLES.items():
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_text(text, encoding="utf-8")
    (static / "a.js").write_text("toggle('x')", encoding="utf-8")
    made = soup('<head><link rel="stylesheet" href="../_static/styles/a.css?v=1"><link '
                'rel="stylesheet" href="../_static/styles/sub/b.css"></head><p class="used" '
                'id="name"></p><script>let word</script>')  # fmt: skip
    names = page_weight.names_in_use(tmp_path, [made])
    assert {"used", "name", "word", "x", "toggle"} <= names and "gone" not in names
    place = tmp_path / "chapters" / "1.html"
    page_weight.bundle_styles(place, made, static, names, "mjx-c { top: 0 }")
    (link,) = made.select("link")
    assert link["href"].startswith("../_static/site.") and link["rel"] == "stylesheet"
    css = (static / link["href"].split("/")[-1]).read_text(encoding="utf-8")
    inner = ("p{background: url(data:abc)}@media print{.used[data-a='.gone']{top: 3px}}"
             "@font-face{src: url(styles/sub/d.woff)}")  # fmt: skip
    assert css == (
        inner + ".used{top : 0;}.used::after{content: '};{'}.used{background: url(img/c.png)}"
        ".x:not(.gone){top: 2px}" + inner + "mjx-c{top:0 }"
    )


def test_a_name_with_an_escape_is_in_use():
    assert page_weight.can_match(r"p .wide\:more", {"wide:more"})
    assert not page_weight.can_match(r"p .wide\:more", {"wide", "more"})


def test_pictures_have_their_room_and_wait(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    made = soup('<article><img src="a.png"><img src="a.png" width="9"><img src="b.png"></article>')
    page_weight.ease_images(tmp_path / "a.html", made)
    sizes = [(tag.get("width"), tag.get("height")) for tag in made.select("img")]
    assert sizes == [("30", "20"), ("9", "6"), (None, None)]
    assert [tag.get("loading") for tag in made.select("img")] == [None, "lazy", "lazy"]
    assert {tag["decoding"] for tag in made.select("img")} == {"async"}
    logo = soup('<img src="a.png">')
    page_weight.ease_images(tmp_path / "a.html", logo)
    assert logo.img["loading"] == "lazy"


def test_a_theme_that_cannot_be_calmed_is_named(tmp_path):
    script = tmp_path / "scripts" / "pydata-sphinx-theme.js"
    script.parent.mkdir()
    script.write_text(f"a({page_weight.MEASURED})", encoding="utf-8")
    assert page_weight.calm_theme(tmp_path) and page_weight.calm_theme(tmp_path)
    assert script.read_text(encoding="utf-8") == 'a(["#nothing"])'
    script.write_text("another theme", encoding="utf-8")
    assert not page_weight.calm_theme(tmp_path)


# -- Publishing, paper, archive ----------------------------------------------------------------


@pytest.mark.parametrize("owner", ["example", "you"])
def test_a_placeholders_links_are_not_published(tmp_path, owner, monkeypatch):
    settings = f"repository:\n  url: https://github.com/{owner}/course\n"
    (tmp_path / "_config.yml").write_text(settings, encoding="utf-8")
    monkeypatch.setattr(book, "why_not_current", lambda root: "")
    with pytest.raises(SystemExit) as stopped:
        book.main(["--publish"], tmp_path)
    told = str(stopped.value.code)
    if owner == "example":
        assert "must not be published" in told and "make repository URL=" in told
    else:
        assert told == "0"


def test_an_old_site_is_not_published(tmp_path):
    settings = "repository:\n  url: https://github.com/you/course\n"
    (tmp_path / "_config.yml").write_text(settings, encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        book.main(["--publish"], tmp_path)
    assert "has to be built first" in str(stopped.value.code)


def test_the_workflow_asks_before_it_publishes():
    steps = (ROOT / ".github/workflows/book.yml").read_text(encoding="utf-8")
    ask, upload = steps.index("tools/book.py --publish"), steps.index("upload-pages-artifact")
    assert ask < upload


BOOK = {
    "intro": '<article><h1 id="a">A</h1><script>b</script><button>c</button>'
             '<a href="chapters/1.html#b?alpha=2">figure</a><a href="#a">here</a>'
             '<a href="chapters/1.html">chapter</a><a href="none.html">gone</a>'
             '<a href="https://a.b/c">far</a></article>',
    "chapters/1": '<article><h1>B &amp; C</h1><details class="fold">code</details>'
                  '<img src="../_images/a.png"><figure id="b"></figure>'
                  '<a href="../intro.html">back</a></article>',
}  # fmt: skip


def test_the_book_is_one_page_whose_links_arrive(tmp_path):
    (tmp_path / "chapters").mkdir()
    for name, body in BOOK.items():
        up = "../" * name.count("/")
        head = f'<link rel="stylesheet" href="{up}_static/a.css"><meta property="og:site_name"'
        text = f'<html><head>{head} content="The course"></head>{body}</html>'
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    made = soup(paper.whole_book(tmp_path, list(BOOK)))
    ids = [tag["id"] for tag in made.select("[id]")]
    assert ids == ["intro--page", "intro--a", "chapters-1--page", "chapters-1--b"]
    assert {a.get_text(): a["href"] for a in made.select("a")} == {
        "figure": "#chapters-1--b", "here": "#intro--a", "chapter": "#chapters-1--page",
        "far": "https://a.b/c", "back": "#intro--page", "B & C": "#chapters-1--page",
    }  # fmt: skip
    assert "gone" in made.get_text() and not made.select("script, button, details")
    assert made.select_one("article:first-of-type > nav:last-child h2").get_text() == "Contents"
    assert made.img["src"] == "_images/a.png" and made.img["loading"] == "eager"
    assert [link["href"] for link in made.select("link")] == ["_static/a.css"]
    assert made.title.get_text() == "The course"


def test_the_same_site_makes_the_same_archive(tmp_path):
    folder = tmp_path / "site" / "sub"
    folder.mkdir(parents=True)
    for place in (folder / "b.txt", folder.parent / "a.txt"):
        place.write_text(place.name, encoding="utf-8")
    paper.pack_site(folder.parent, tmp_path / "a.zip", "course")
    (folder / "b.txt").touch()
    paper.pack_site(folder.parent, tmp_path / "b.zip", "course")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert not list(tmp_path.glob("*.part"))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["course/a.txt", "course/sub/b.txt"]
        assert archive.read("course/sub/b.txt") == b"b.txt" and archive.testzip() is None
        (mode,) = {entry.external_attr >> 16 for entry in archive.infolist()}
        assert mode == 0o644, "who unpacks it can read it"


def test_a_pdf_bears_no_date():
    old = b"/CreationDate (D:20261126070000+00'00')\n/ModDate (D:20261126070001+00'00')"
    zero = b"/CreationDate (D:19800101000000+00'00')\n/ModDate (D:19800101000000+00'00')"
    assert paper.without_date(old) == zero


def test_files_are_named_after_the_repository(monkeypatch):
    monkeypatch.setattr(paper, "address", lambda: "https://github.com/you/course")
    assert paper.name_of_course() == "course"


# -- The end of a chapter ----------------------------------------------------------------------


def test_a_chapter_says_how_it_is_cited():
    made = page('<section><h1>Volume: 50% more<a class="headerlink" href="#v">#</a></h1></section>')
    after = afterword.add_afterword("chapters/3_volume", made, BASE)
    assert made.select("article > aside.afterword") == [made.select("article > *")[-1]] == [after]
    assert after["aria-label"] and after.pre["tabindex"] == "0"
    button = after.select_one("button[type=button][hidden][aria-pressed=false]")
    assert button["data-page"] == "chapters/3_volume" and "read" in button.get_text()
    assert after.select("details > summary") and after.pre.find_parent("details")
    sentence, entry = after.p.get_text(), after.pre.get_text()
    address = f"{BASE}chapters/3_volume.html"
    for text in (sentence, entry):
        assert "Volume: 50% more" in text.replace("\\", "") and "#" not in text and address in text
        assert found.one_line(text) and str(cff()["date-released"].year) in text
    assert sentence.startswith(afterword.names_of(cff()["authors"][0])[0])
    assert entry.startswith("@incollection{3_volume,\n") and entry.count("{") == entry.count("}")
    assert "title = {Volume: 50\\% more}" in entry, "a bare % would end the line"


def test_a_figure_can_be_reported():
    figure = '<figure id="fig-a b"><img{}><figcaption><p>{}</p></figcaption></figure>'
    number = '<span class="caption-number">Fig. 5.9 </span>A<a class="headerlink">#</a>'
    nameless = "<figure><figcaption>no address</figcaption></figure>"
    other = figure.format("", "A picture").replace("fig-a b", "c")
    made = page(figure.format(" data-live='x'", number) + nameless + other)
    report.add_reports("chapters/5_training", made, BASE, "https://github.com/you/course")
    one, two = made.select("a.report")
    assert one.find_next_sibling()["class"] == ["headerlink"], "which is seen behind it"
    assert one["class"] == ["report"], "a list, for page_weight.py to find"
    assert (one.get_text(), one["aria-label"]) == (
        "Report an error", "Report an error on Fig. 5.9"
    )  # fmt: skip
    asked = []
    for link in (one, two):
        address, _, query = link["href"].partition("?")
        assert address == "https://github.com/you/course/issues/new"
        asked.append(dict(parse_qsl(query)))
    assert asked[0]["title"] == "Fig. 5.9: " and "Copy link" in asked[0]["body"]
    assert asked[0]["body"].startswith(f"{BASE}chapters/5_training.html#fig-a b\n")
    assert asked[1]["title"] == "a figure: " and "Copy link" not in asked[1]["body"]


def cff() -> dict:
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_authors_are_written_as_bibtex_wants_them(tmp_path):
    authors = "[{given-names: Ada, family-names: Lovelace}, {name: The group}]"
    file = tmp_path / "CITATION.cff"
    file.write_text(
        f"title: T\nversion: 1.0\ndate-released: 2026-01-02\nauthors: {authors}\n", encoding="utf-8"
    )
    sentence, entry = afterword.citations("A", f"{BASE}a.html", file)
    assert sentence == f"Ada Lovelace, The group (2026): A. In: T, version 1.0. {BASE}a.html"
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", entry, flags=re.MULTILINE))
    assert fields == {  # the first four are those that BibTeX asks for
        "author": "Lovelace, Ada and {The group}", "title": "A", "booktitle": "T", "year": "2026",
        "note": "Version 1.0", "url": f"{BASE}a.html",
    }  # fmt: skip
