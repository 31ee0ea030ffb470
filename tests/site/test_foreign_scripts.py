"""Scripts that come in by Markdown, captions, alt texts or outputs do not run on the site."""

import re

import course_site
from browser import serve_folder
from bs4 import BeautifulSoup
from small_site import RAN, script


def test_each_is_left_out_with_a_warning(small_site):
    _, out, warnings = small_site
    soup = BeautifulSoup((out / "intro.html").read_text(encoding="utf-8"), "html.parser")
    for tag in soup.find_all("script", src=False):
        assert RAN not in (tag.string or ""), tag
    for tag in soup.find_all("script", src=True):
        assert tag["src"].startswith(("_static/", "searchindex.js")), tag
    for where in ("inline", "block", "click", "error", "svg", "module", "untyped", "ecma", "html",
                  "link", "spaced"):  # fmt: skip
        assert re.search(rf"intro: a script in .*{where}", warnings), where
    assert "example.org/far.js" in warnings and "near.js" in warnings
    assert [tag.string for tag in soup.find_all("script", type="application/json")] == ['["data"]']


def test_the_policy_names_only_the_scripts_of_the_build(small_site):
    _, out, _ = small_site
    soup = BeautifulSoup((out / "intro.html").read_text(encoding="utf-8"), "html.parser")
    policies = soup.select('head > meta[http-equiv="Content-Security-Policy"]')
    assert len(policies) == 1
    scripts = soup.find_all("script", src=False)
    inline = [tag.string for tag in scripts if course_site.is_code(tag.get("type"))]
    assert inline and all(map(course_site.is_known, inline))
    named = re.findall(r"'sha256-[^']+'", policies[0]["content"])
    assert len(named) == len(set(inline))


def test_none_runs_in_a_browser(small_site, chromium):
    _, out, _ = small_site
    context = chromium.new_context()
    page, told = context.new_page(), []
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.on("console", lambda message: told.append(message.text))
    with serve_folder(out) as address:
        page.goto(f"{address}/intro.html")
        for text in ("a div", "a link"):
            page.get_by_text(text).first.click(force=True)
        page.locator("#spaced").click(force=True)
        assert page.evaluate("window.ran ?? []") == []
        assert page.evaluate("[...document.querySelectorAll('iframe')]"
                             ".every(f => !f.contentWindow.ran)")  # fmt: skip
        # The page's own scripts do run.
        assert page.evaluate("document.documentElement.dataset.theme") in {"light", "dark", "auto"}
        assert page.evaluate("DOCUMENTATION_OPTIONS.pagename") == "intro"
        # Of a page on which nobody tried it, the browser has nothing to say about the policy.
        told.clear()
        page.goto(f"{address}/chapters/1_one.html")
        assert not [text for text in told if "Policy" in text], told
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
