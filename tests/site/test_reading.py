"""What is folded on the page, what is found by the search, and what goes with a link."""

import json
import re
import statistics
import zipfile
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import formulas
import found
import guesses
import left_out
import nbformat
import notebooks
import notes
import paper
import pytest
import reading
import repository
import short_form
from bs4 import BeautifulSoup
from PIL import Image
from samples import DOCUMENTS, LEFT_OUT, code_lines, takes_long
from solutions import TARGET
from test_site_tools import page

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
CHAPTERS = [name for name in DOCUMENTS if name.startswith("chapters/")]
NOTEBOOKS = [f"chapters/{path.stem}" for path in notebooks.in_order(ROOT.glob("chapters/*.ipynb"))]
each_chapter = pytest.mark.parametrize("name", CHAPTERS)
each_document = pytest.mark.parametrize("name", DOCUMENTS)


# Nine in ten elements of a page draw a formula (what it says is beside them) or colour a word of
# code.
DRAWN = re.compile(r"(<mjx-math\b[^>]*>).*?(?=</mjx-math>)", flags=re.DOTALL)
COLOURED = re.compile(r'<span class="[a-z]{1,2}\d?">([^<]*)</span>')


@cache
def soup(name: str) -> BeautifulSoup:
    """A page of the site, less what draws formulas and colours code."""
    html = DRAWN.sub(r"\1", (SITE / f"{name}.html").read_text(encoding="utf-8"))
    return BeautifulSoup(COLOURED.sub(r"\1", html), "html.parser")


def cells(name: str, tag: str = "") -> list:
    notebook = nbformat.read(ROOT / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in code if not tag or tag in cell.metadata.get("tags", [])]


def sources(name: str, whole: bool = False) -> str:
    """A page's source, whole or as it is read: no link to a chapter that an edition leaves out."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text if whole else left_out.without(text, LEFT_OUT)


# -- Code --------------------------------------------------------------------------------------


def test_what_is_not_folded_is_mostly_short():
    """(Of the course as a whole: some chapters have longer cells than others.)"""
    folded = {"hide-input", "remove-input", "remove-cell", "setup"}
    shown = [
        code_lines(cell.source)
        for name in NOTEBOOKS
        for cell in cells(name)
        if not folded & set(cell.metadata.get("tags", []))
    ]
    assert statistics.median(shown) <= 8


@each_chapter
def test_the_pages_code_is_the_notebooks(name):
    """With all that is folded: each cell is there, whole, and in its order."""
    shown = [pre.get_text().strip() for pre in soup(name).select("div.cell_input pre")]
    left_out = cells(name, "remove-cell")  # sliders that need Python, and stubs of answers
    assert all({"interactive", "answer"} & set(cell.metadata.tags) for cell in left_out)
    quizzes = cells(name, "remove-input")  # of which the page shows the questions
    assert all("\nquiz(" in cell.source for cell in quizzes)
    left_out += quizzes
    assert shown == [cell.source.strip() for cell in cells(name) if cell not in left_out]


@each_chapter
def test_the_short_form_leaves_out_docstrings_and_checks_only(name):
    """What is folded is what `folded_lines` names, and what is seen is the rest of the cell."""
    for cell in cells(name, "export"):
        source = cell.source.strip()
        found_in = [
            pre
            for pre in soup(name).select("div.cell .cell_input pre")
            if pre.get_text().strip() == source
        ]
        pre = BeautifulSoup(str(found_in[0]), "html.parser")
        folded = "".join(part.get_text() for part in pre.select("details.rest"))
        for part in pre.select("details.rest"):
            part.decompose()
        lines, hidden = source.split("\n"), short_form.folded_lines(source)
        seen = [line for number, line in enumerate(lines, 1) if number not in hidden]
        assert pre.get_text().strip() == "\n".join(seen).strip()
        assert folded == "".join(f"{lines[number - 1]}\n" for number in sorted(hidden))


def test_most_of_the_exported_code_that_is_seen_is_no_docstring():
    seen = total = 0
    for name in CHAPTERS:
        for cell in cells(name, "export"):
            total += len(cell.source.split("\n"))
            seen += len(cell.source.split("\n")) - len(short_form.folded_lines(cell.source))
    assert seen < total * 0.6


@each_chapter
def test_the_set_up_is_one_fold_before_the_first_section(name):
    folds = soup(name).select(".bd-article > section > div.cell > details.fold")
    titles = [fold.summary.get_text() for fold in folds]
    assert titles[0] == reading.SET_UP
    assert all(title.startswith("Code of Fig.") for title in titles[1:]), "an opening picture"
    first = [pre.get_text().strip() for pre in folds[0].select("pre")]
    assert first == [cell.source.strip() for cell in cells(name)[: len(first)]] and first
    loose = soup(name).select(".bd-article > section > div.cell > .cell_input")
    assert not loose


@each_chapter
def test_folded_code_names_what_it_is(name):
    assert not soup(name).select("details.hide:not(.fold)")
    for fold in soup(name).select("details.fold"):
        title = " ".join(fold.summary.get_text().split())
        assert title == reading.SET_UP or re.match(
            r"Code(?: of Fig\. [\d.]+\d|: \w| of this)", title
        )
        figure = fold.find_parent(class_="cell").select_one("figcaption .caption-number")
        if figure and title != reading.SET_UP:
            assert title == f"Code of {' '.join(figure.get_text().split())}"
        after = reading.next_element(fold.find_parent(class_="cell"))
        alone = not fold.find_parent(class_="cell").select_one(".cell_output")
        if alone and after is not None and "tag_hide-input" in after.get("class", []):
            pytest.fail(f"two folds in a row: {title}")


# -- Text --------------------------------------------------------------------------------------


@each_chapter
def test_a_chapter_has_the_number_that_texts_call_it_by(name):
    """In an edition of few chapters, too: in its title, its captions, and beside it."""
    own = Path(name).name.partition("_")[0]
    numbers = [part.get_text() for part in soup(name).select("article .section-number")]
    assert numbers and {number.strip() for number in numbers} == {f"{own}."}
    captions = soup(name).select("article .caption-number")
    assert captions
    for caption in captions:
        assert re.search(rf"\s{own}\.\d+", caption.get_text()), caption
    shown = [a.get_text().strip() for a in soup("glossary").select(".bd-sidebar-primary a.internal")
             if a["href"] == f"{name}.html"]  # fmt: skip
    assert shown and all(text.startswith(f"{own}. ") for text in shown)


def test_the_course_begins_with_the_sand():
    """What else flows compete with comes after the formula, under a heading of its own."""
    html = soup(CHAPTERS[0])
    headings = [heading.get_text() for heading in html.select("article h2")]
    sand, other = headings[0], next(h for h in headings if h.startswith("Another way"))
    assert "picture" in sand.lower() and headings.index(other) > 3
    for section in html.select("article section > section:has(> h2)"):
        if (title := section.h2.get_text()) == other:
            break
        assert not re.search(r"\b(?:VAE|ELBO)\b", section.get_text()), title


def test_who_knows_flows_is_sent_to_the_questions_themselves():
    paragraph = next(p for p in soup(DOCUMENTS[0]).select("p") if "get wrong" in p.get_text())
    whole, read = (
        next(line for line in sources("intro.md", whole=kind).splitlines() if "get wrong" in line)
        for kind in (True, False)
    )
    assert whole.count("](") == 3 and len(links := paragraph.select("a")) == read.count("](") >= 1
    assert all("#" in link["href"] for link in links)


@each_document
def test_no_line_can_begin_with_the_mark_after_a_formula(name):
    for formula in soup(name).select("article span.math"):
        assert not re.match(r"[.,;:!?)]", str(formula.next_sibling or "")) or (
            "with-mark" in formula.parent.get("class", [])
        ), formula.next_sibling


@each_chapter
def test_what_is_said_of_a_picture_is_true_by_day_and_by_night(name):
    """Dark is dense by day only: live figures and pictures change their ground with the page."""
    for tag in soup(name).select("article :is(p, li, figcaption)"):
        said = re.search(r"\b(dark|pale|black|white|bright)(er|est)?\b", tag.get_text())
        assert not said, tag.get_text()


@each_chapter
def test_titles_of_solutions_lead_nowhere(name):
    titles = soup(name).select(".solution > .admonition-title")
    assert bool(titles) == TARGET.exists()  # an edition without solutions has none
    assert not soup(name).select(".solution > .admonition-title a")


def test_citations_of_the_landing_page_lead_to_the_bibliography():
    links = soup(DOCUMENTS[0]).select("article a.reference.internal[href*='#id']")
    assert links
    for link in links:
        page_name, _, target = link["href"].partition("#")
        assert page_name == "bibliography.html"
        entry = soup("bibliography").find(id=target)
        surname = link.get_text().split()[0].rstrip(",")
        assert surname in entry.get_text()


@each_chapter
def test_citations_of_a_chapter_stay_on_its_page(name):
    works = soup(name).select(".citation-list .citation[id]")
    assert works
    for link in soup(name).select("article a.reference.internal[href*='#id']"):
        assert link["href"].startswith("#"), link["href"]


@each_chapter
def test_sections_say_how_high_they_are(name):
    sections = soup(name).select(".bd-article > section > section")
    said = re.compile(r"--guess: (\d+)px; --guess-phone: (\d+)px")
    heights = [said.search(s.get("style", "")) for s in sections]
    assert all(heights) and all(80 < int(h) < 15000 for height in heights for h in height.groups())
    assert any(int(height[1]) < int(height[2]) for height in heights), "a phone's lines are shorter"


# -- Search ------------------------------------------------------------------------------------


@cache
def index() -> dict:
    text = (SITE / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))


def test_the_search_knows_the_sections_of_every_page():
    for name in DOCUMENTS:
        wanted = {
            section["id"]
            for section in soup(name).select("article section[id]")
            if section.find(["h2", "h3"], recursive=False)
        }
        known = {
            place.split("#")[1] for place in index()["docnames"] if place.startswith(f"{name}#")
        }
        assert wanted <= known
    for place in index()["docnames"]:
        name, _, target = place.partition("#")
        assert not target or soup(name).find(id=target), place
    for number in (n for places in index()["indexentries"].values() for n, _, _ in places):
        assert 0 <= number < len(index()["docnames"])


def test_code_and_furniture_are_not_found():
    texts = " ".join(index()["texts"])
    for foreign in ("import torch", "def ", "Show code", "Open issue", ".ipynb", "Contents", "#"):
        assert foreign not in texts, foreign
    assert "scroll" in index()["terms"] or "slider" in index()["terms"], "prose is"


@pytest.mark.parametrize(
    ("word", "section"),
    [
        ("bijective", "chapters/2_transforms_1d#three-demands-on-a-curve"),
        ("bijection", "chapters/3_transforms_2d#three-things-a-flow-needs-from-its-transforms"),
        ("dequantization", "chapters/1_change_of_variables#what-to-do-instead"),
        ("dequantisation", "chapters/1_change_of_variables#what-to-do-instead"),
        ("mode collapse", "chapters/5_training#what-the-gap-sees-and-what-it-hardly-sees"),
        ("negative loss", "chapters/5_training#is-a-negative-loss-ok"),
    ],
)
def test_words_that_students_type_lead_to_sections(word, section):
    places = [index()["docnames"][number] for number, _, _ in index()["indexentries"][word]]
    assert section in places or section.split("#")[0] in LEFT_OUT
    assert any(place.startswith("glossary#term-") for place in places)


def test_every_term_of_the_notation_is_in_the_glossary():
    """The words of its meanings that are terms, and its names in code."""
    table = " ".join(soup("glossary").select_one("table").get_text().lower().split())
    terms = [
        dt.get_text().replace("#", "").strip() for dt in soup("glossary").select("dl.glossary dt")
    ]
    entries = soup("glossary").select_one("dl.glossary").get_text().lower()
    for row in soup("glossary").select("table tbody tr"):
        symbol, meaning = (" ".join(td.get_text().split()) for td in row.select("td"))
        code = [tag.get_text() for tag in row.select("td:first-child code")]
        assert all(word in entries for word in code), symbol
    for term in (
        "base density",
        "latent point",
        "log-det",
        "layer",
        "entropy",
        "nll",
        "nat",
        "gap",
    ):
        assert term in table and term in [known.lower() for known in terms], term
    assert sources("glossary.md", whole=True).count("\n  Read: [") == len(terms)
    links = soup("glossary").select("dl.glossary dd a[href*='.html#']")
    assert len(links) == sources("glossary.md").partition("## Glossary")[2].count(".ipynb#")


# -- Sharing -----------------------------------------------------------------------------------


def base() -> str:
    owner, name = repository.address().split("/")[-2:]
    return f"https://{owner}.github.io/{name}/"


@each_document
def test_a_link_to_the_page_has_a_card(name):
    head = soup(name).head
    here = base() if name == DOCUMENTS[0] else f"{base()}{name}.html"
    assert [tag["href"] for tag in head.select("link[rel=canonical]")] == [here]
    said = {tag["property"]: tag["content"] for tag in head.select("meta[property^='og:']")}
    assert said["og:url"] == here and said["og:title"] and len(said["og:description"]) > 20
    picture = SITE / said["og:image"].removeprefix(base())
    assert Image.open(picture).size == (1200, 630) and picture.stat().st_size < 300_000
    assert len(said["og:image:alt"]) >= 20
    assert head.select_one("meta[name='twitter:card']")["content"] == "summary_large_image"


def test_cards_differ_between_chapters():
    pictures = {soup(name).select_one("meta[property='og:image']")["content"] for name in CHAPTERS}
    assert len(pictures) == len(CHAPTERS)


def test_the_index_is_the_landing_page_by_its_one_address():
    index_page = soup("index")
    assert index_page.select_one("link[rel=canonical]")["href"] == base()


def test_the_map_names_every_page():
    text = (SITE / "sitemap.xml").read_text(encoding="utf-8")
    places = re.findall(r"<loc>(.+?)</loc>", text)
    assert sorted(places) == sorted([base(), *(f"{base()}{n}.html" for n in DOCUMENTS[1:])])


def test_the_page_for_the_lost_works_at_any_depth():
    lost = BeautifulSoup((SITE / "404.html").read_text(encoding="utf-8"), "html.parser")
    root = f"/{base().split('/', 3)[3]}"
    addresses = [tag.get("href") or tag.get("action") for tag in lost.select("[href], [action]")]
    assert len(addresses) >= len(DOCUMENTS) + 2
    named = [a["href"].removeprefix(root).removesuffix(".html") for a in lost.select("li a")]
    assert named == ["", *DOCUMENTS[1:]], "in the order of the book"
    for address in addresses:
        assert address.startswith(root), address
        assert (SITE / (address.removeprefix(root) or "index.html")).exists(), address


@pytest.mark.parametrize("old", found.MOVED)
def test_an_old_address_leads_to_the_page(old):
    new = found.MOVED[old]
    assert old not in DOCUMENTS
    if new in DOCUMENTS:
        link = soup(old).a
        assert (SITE / f"{old}.html").parent / link["href"] == SITE / f"{new}.html"
        assert soup(old).select_one("link[rel=canonical]")["href"] == f"{base()}{new}.html"
    else:
        assert not (SITE / f"{old}.html").exists()


def test_the_landing_page_has_a_card_with_a_picture_for_each_chapter():
    cards = soup(DOCUMENTS[0]).select(".chapters .sd-card")
    assert [card.a["href"].removesuffix(".html") for card in cards] == CHAPTERS
    for card in cards:
        assert len(card.img["alt"]) >= 20 and card.img["width"] and card.select_one(".sd-card-text")
    starts = soup(DOCUMENTS[0]).select(".opening a.sd-btn")
    assert len(starts) == 2 and starts[0]["href"] == f"{CHAPTERS[0]}.html"


# -- Paper, archive ----------------------------------------------------------------


class Tags(HTMLParser):
    """The tags of a page, in turn: (name, attributes). A tree of the whole book takes long."""

    def __init__(self, page: str):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}))


@pytest.mark.parametrize("name", CHAPTERS)
def test_captions_that_name_sides_say_where_the_panels_stand_on_a_phone(name):
    for caption in soup(name).select("figcaption"):
        live, text = caption.parent.select_one("img[data-live]"), caption.get_text().lower()
        stacked = live is not None and int(live["data-rows"]) > 1
        sides = any(side in re.findall(r"\w+", text) for side in ("left", "middle", "right"))
        assert ("names-sides" in caption.get("class", [])) == (stacked and sides), text


@each_document
def test_tables_of_paragraphs_say_so_and_tables_of_words_do_not(name):
    for table in soup(name).select(".bd-article table"):
        longest = max(len(" ".join(c.get_text().split())) for c in table.select("tbody td"))
        marked = "of-prose" in table["class"]
        assert marked if longest > 200 else not marked if longest < 150 else True, longest
        if marked:
            assert table["role"] == "table" and not table.select("tr:not([role=row])")


@takes_long
def test_the_book_is_one_page_whose_links_arrive():
    tags = Tags(paper.whole_book(SITE, DOCUMENTS)).found
    ids = Counter(attributes["id"] for _, attributes in tags if "id" in attributes)
    doubles = {name for name, count in ids.items() if count > 1}
    # (The extension for exercises gives its parts one id; nothing leads there.)
    assert not {
        name for name in doubles if not name.endswith(("exercise-content", "solution-content"))
    }
    links = [at["href"] for tag, at in tags if tag == "a" and at.get("href", "").startswith("#")]
    assert links and not [link for link in links if link[1:] not in ids]
    images = [at["src"] for tag, at in tags if tag == "img" and "src" in at]
    assert images and all((SITE / image).exists() for image in images)
    kinds = Counter(tag for tag, _ in tags)
    assert not kinds["script"] and not kinds["button"] and kinds["article"] == len(DOCUMENTS)
    assert not [
        at for tag, at in tags if tag == "details" and "fold" in at.get("class", "").split()
    ]


def test_the_archive_is_the_site(tmp_path):
    made = []
    for name in ("a.zip", "b.zip"):
        paper.pack_site(SITE, tmp_path / name, "course")
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1], "the same site, the same archive"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
        assert archive.read("course/index.html") == (SITE / "index.html").read_bytes()
    files = {f"course/{p.relative_to(SITE).as_posix()}" for p in SITE.rglob("*") if p.is_file()}
    assert names == files
    assert not list(tmp_path.glob("*.part"))


def test_search_runs_between_the_engine_and_its_index():
    sources = [tag["src"].split("?")[0] for tag in soup("search").select("script[src]")]
    order = [f"_static/{name}" for name in ("searchtools.js", "search.js")]
    places = [sources.index(name) for name in [*order, "searchindex.js"]]
    assert places == sorted(places)
    loaded = [tag["src"].split("?")[0] for tag in soup(CHAPTERS[0]).select("script[src]")]
    engine = ("searchtools.js", "language_data.js", "searchindex.js", "search.js")
    assert loaded and not [name for name in loaded if name.endswith(engine)]


# -- Figures, guesses, notes ---------------------------------------------------------------------


@pytest.mark.parametrize("name", CHAPTERS)
def test_static_figures_are_one_width_and_have_a_dark_version(name):
    found = 0
    for picture in soup(name).select("article figure img:not([data-live], .in-the-dark)"):
        dark = picture.find_next_sibling("img")
        assert dark and "in-the-dark" in dark["class"], picture["src"]
        assert picture["width"] == dark["width"] == "768" and picture["height"] == dark["height"]
        assert picture["alt"] == dark["alt"] and dark["loading"] == "lazy"
        box = picture.find_parent(class_="sideways")
        assert box["tabindex"] == "0" and box.parent.name == "figure", "a phone can scroll it"
        files = [(SITE / name).parent / p["src"] for p in (picture, dark)]
        assert files[0].suffix == files[1].suffix
        assert files[0].read_bytes() != files[1].read_bytes()
        if files[0].suffix == ".png":
            width, height = Image.open(files[0]).size
            assert width == 1760 and height / width == pytest.approx(
                int(picture["height"]) / 768, 0.01
            )
        found += 1
    assert found


GOOD = """<p>Which?</p><ul><li><p>A: this</p></li><li><p>B: that</p></li></ul>
<details class="guess"><summary>Answer</summary>
<ul><li>A: Right, so.</li><li>B: No.</li></ul></details>"""


def test_a_guess_is_marked():
    made = page(GOOD)
    assert guesses.mark_guesses("p", made) == []
    assert [li.get_text() for li in made.select(".guess-answers > .right")] == ["A: Right, so."]
    assert made.select_one(".guess-choices")["aria-labelledby"] == made.p["id"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A: Right", "A: No"),  # none is right
        ("B: No", "B: Right"),  # two are
        ("<li>B: No.</li>", ""),  # one has no answer
        ("B: that", "C: that"),
        ("<p>Which?</p>", ""),
        ("<li><p>A: this</p></li><li><p>B: that</p></li>", ""),
    ],
)
def test_a_guess_that_lacks_something_is_named(old, new):
    assert old in GOOD
    complaints = guesses.mark_guesses("p", page(GOOD.replace(old, new)))
    assert len(complaints) == 1 and "p: guess 1" in complaints[0]


def test_chapters_ask_for_guesses():
    asked = {name: len(soup(name).select("details.guess")) for name in CHAPTERS}
    written = {
        name: sum(cell.source.count('<details class="guess"') for cell in notebook.cells)
        for name in NOTEBOOKS
        for notebook in [notebooks.read(ROOT / f"{name}.ipynb")]
    }
    assert sum(count > 0 for count in written.values()) >= 4, written
    for name in CHAPTERS:
        assert len(soup(name).select(".guess-choices")) == asked[name] == written[name], name


@each_chapter
def test_terms_are_noted_once_and_where_a_note_may_stand(name):
    html = soup(name)
    links = html.select("a.note")
    assert len(links) >= 5 and len({link["href"] for link in links}) == len(links)
    meanings = {dt["id"]: dt.find_next_sibling("dd").p for dt in soup("glossary").select("dt[id]")}
    named = [tag for tag in html.find_all(id=True) if tag["id"].startswith("note-")]
    notes_by_id = {note["id"]: note for note in named}
    assert len(notes_by_id) == len(named) == len(links)
    for link in links:
        path, _, term = link["href"].partition("#")
        assert path == "../glossary.html"
        note = notes_by_id[link["aria-describedby"]]
        assert note.has_attr("hidden") and note.get_text() == meanings[term].get_text()
        assert not note.select("a, [id]")
        for kind in ("a", "h1", "h2", "h3", "code", "button", "summary", "figure", "strong"):
            assert link.find_parent(kind) is None, (link, kind)
        assert not link.find_parent(class_="math")


def test_a_word_of_plain_english_is_noted_from_its_own_chapter_on():
    entry = (
        '<dl class="glossary"><dt id="term-gap">gap</dt><dd><p>Nats.</p><p>Read: {}</p></dd></dl>'
    )
    link = '<a class="reference internal" href="chapters/5_x.html#gap">x</a>'
    terms = notes.read_terms(page(entry.format(link)))
    for number, count in ((2, 0), (5, 1), (10, 1)):
        chapter = page("<h2>The gap</h2><p>See <code>gap</code>, two <b>Gaps</b>, a gap.</p>")
        notes.add_notes(SITE / f"chapters/{number}_y.html", chapter, SITE / "glossary.html", terms)
        assert [a.get_text() for a in chapter.select("a.note")] == ["Gaps"][:count]


def test_long_equations_go_on_in_a_new_line():
    made = BeautifulSoup(
        r'<div class="math notranslate">\[x = 1, \qquad y = \left(2 \qquad 3\right)\]</div>'
        r'<span class="math notranslate">\(a \qquad b\)</span>',
        "html.parser",
    )
    _, complaints = formulas.set_formulas([made])
    assert complaints == []
    assert len(made.select(".formula-parts > mjx-container")) == 2
    assert len(made.select("mjx-container")) == 3


def test_what_is_too_wide_for_a_phone_may_go_on_before_a_sign():
    wide = r"\log p_X(x) = \log p_Z(z) + \log|\det J(x = 1)| - \left(a + b + c + d + e + f\right)"
    made = BeautifulSoup(
        rf'<div class="math notranslate">\[{wide}, \qquad y = 2\]</div><p>'
        rf'<span class="math notranslate">\({wide}\)</span>'
        r'<span class="math notranslate">\(a = b + c\)</span></p>'
        r'<div class="math notranslate">\[\begin{split}x &= 1 \\ &= 2\end{split}\]</div>'
        rf'<div class="math notranslate">\[\begin{{split}}{wide} = \begin{{pmatrix}} 1 & 2 \\ 3 & 4'
        r"\end{pmatrix}\end{split}\]</div>",
        "html.parser",
    )
    assert formulas.set_formulas([made])[1] == []
    parts, inline, short, split, matrix = made.select(".math")
    pieces = [[m.get_text() for m in part.select("math")] for part in (parts, inline, matrix)]
    assert [len(found) for found in pieces] == [5, 4, 5]
    assert [found[0] for found in pieces] == ["log\u2061pX(x)"] * 3, "what stands before the sign"
    assert all(found[1][0] == "=" and found[2][0] == "+" for found in pieces)
    assert len(parts.select(".formula-parts > .formula-pieces")) == 1
    assert len(parts.select(".formula-parts > mjx-container")) == 1, "y = 2 is short"
    assert "in-pieces" in inline["class"] and "in-pieces" not in short["class"] + parts["class"]
    assert len(short.select("mjx-container")) == len(split.select("mjx-container")) == 1
    assert split.select("mtable"), "lines that their writer set"
