"""What the table of contents leaves out, nothing links to; all other links stay."""

import re
from types import SimpleNamespace

import left_out
import pytest
from docutils import nodes
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


def test_chapters_keep_their_numbers_in_an_edition_of_few():
    """Sphinx counts 1, 2, 3; texts, cards and links mean the numbers of the files."""
    names = {"chapters/1_one": 1, "chapters/4_four": 2, "chapters/10_ten": 3, "chapters/draft": 4}

    def link(number):
        return nodes.bullet_list("", nodes.reference("", "x", secnumber=number), nodes.reference())

    env = SimpleNamespace(
        toc_secnumbers={n: {"": (k,), "#a": (k, 2), "#b": ()} for n, k in names.items()},
        toc_fignumbers={n: {"figure": {"f": (k, 5)}, "exercise": {"e": (k, 1)}}
                        for n, k in names.items() if k != 1},
        titles={n: nodes.title("", "x", secnumber=[k]) for n, k in names.items()},
        tocs={n: link([k]) for n, k in names.items()},
    )  # fmt: skip
    env.toc_secnumbers["glossary"], env.titles["glossary"] = {}, nodes.title("", "x")
    assert left_out.keep_numbers(None, env) == []
    for name, own in {"1_one": 1, "4_four": 4, "10_ten": 10, "draft": 4}.items():
        name = f"chapters/{name}"
        assert env.toc_secnumbers[name] == {"": (own,), "#a": (own, 2), "#b": ()}
        assert tuple(env.titles[name]["secnumber"]) == (own,)
        first, second = env.tocs[name].findall(nodes.reference)
        assert tuple(first["secnumber"]) == (own,) and not second.get("secnumber")
        if own != 1:
            wanted = {"figure": {"f": (own, 5)}, "exercise": {"e": (own, 1)}}
            assert env.toc_fignumbers[name] == wanted
    assert env.toc_secnumbers["glossary"] == {} and not env.titles["glossary"].get("secnumber")


@pytest.mark.parametrize(("known", "wanted"), [({"chapters/7_a"}, "[a](7_a.md)"), (set(), "a")])
def test_what_sphinx_reads_is_mended_while_it_reads(tmp_path, known, wanted):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "7_a.ipynb").touch()
    app = SimpleNamespace(srcdir=tmp_path, env=SimpleNamespace(found_docs=known))
    source = ["[a](7_a.md)"]
    left_out.read_source(app, "intro", source)
    assert source == [wanted]
