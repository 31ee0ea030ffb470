"""What the table of contents leaves out, nothing links to; all other links stay."""

import re
from types import SimpleNamespace

import left_out
import pytest
from sphinx_external_toc.parsing import parse_toc_yaml

ROOT = left_out.Path(__file__).resolve().parents[2]
OUTLOOK = ["chapters/7_outlook"]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("[a](chapters/7_outlook.ipynb)", "a"),
        ("[a *b*](7_outlook.ipynb#is-it) and [c](7_outlook)", "a *b* and c"),
        ("[a](../chapters/7_outlook.html#x)", "a"),
        ("{doc}`a <7_outlook>`", "a"),
        ("{doc}`7_outlook`", "chapter 7"),
        (r'{"source": ["[a](7_outlook.ipynb)\n"]}', r'{"source": ["a\n"]}'),
        ("[a](chapters/17_outlook.ipynb)", None),
        ("[a](chapters/7_outlook_and_more.ipynb)", None),
        ("[a](chapters/6_conditional.ipynb) 7_outlook", None),
        ("![a](7_outlook.png)", None),
    ],
)
def test_links_become_words(source, wanted):
    assert left_out.without(source, OUTLOOK) == (source if wanted is None else wanted)


def test_its_card_goes_and_the_others_stay():
    page = (ROOT / "intro.md").read_text(encoding="utf-8")
    names = re.findall(r"^:link: (chapters/\w+)$", page, flags=re.MULTILINE)
    assert len(names) >= 2
    for name in names:
        rest = left_out.without(page, [name])
        left = re.findall(r"^:link: (chapters/\w+)$", rest, flags=re.MULTILINE)
        assert left == [other for other in names if other != name]
        assert f"({name}" not in rest and rest.count("::::\n") == page.count("::::\n") - 1


def test_each_notebook_has_a_page_or_is_left_out():
    """(The course itself, or an edition of it, which may leave chapters out.)"""
    documents = set(parse_toc_yaml(ROOT / "_toc.yml"))
    every = {f"chapters/{path.stem}" for path in (ROOT / "chapters").glob("*.ipynb")}
    assert set(left_out.left_out(ROOT, set())) == every and documents & every
    assert set(left_out.left_out(ROOT, documents)) == every - documents
    assert left_out.left_out(ROOT, every - set(OUTLOOK)) == OUTLOOK


@pytest.mark.parametrize(("known", "wanted"), [({"chapters/7_a"}, "[a](7_a.md)"), (set(), "a")])
def test_what_sphinx_reads_is_mended_while_it_reads(tmp_path, known, wanted):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "7_a.ipynb").touch()
    app = SimpleNamespace(srcdir=tmp_path, env=SimpleNamespace(found_docs=known))
    source = ["[a](7_a.md)"]
    left_out.read_source(app, "intro", source)
    assert source == [wanted]
