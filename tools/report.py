"""Beside each figure's caption, a link to say what is wrong with it: an issue of the repository."""

from urllib.parse import urlencode

from bs4 import BeautifulSoup
from found import one_line


def add_reports(name: str, soup: BeautifulSoup, base: str, repository: str) -> None:
    """Let each figure that has an address be reported.

    Args:
        name: The page, as "chapters/5_training".
        soup: The page itself.
        base: Where the site will be read, with a slash at the end.
        repository: Its address.
    """
    for caption in soup.select("article figure[id] > figcaption"):
        number = caption.select_one(".caption-number")
        called = one_line(number.get_text()) if number else "a figure"
        body = f"{base}{name}.html#{caption.parent['id']}\n\n"
        if caption.parent.select_one("img[data-live]"):
            body += 'In which state? Its button "Copy link" copies an address that says so:\n\n'
        query = urlencode({"title": f"{called}: ", "body": f"{body}What is wrong:\n"})
        link = soup.new_tag("a", href=f"{repository}/issues/new?{query}", string="Report an error")
        link.attrs |= {"class": ["report"], "aria-label": f"Report an error on {called}"}
        end = caption.select_one(".headerlink")  # stands behind all else, once it is seen
        if end:
            end.insert_before(" ", link)
        else:
            (caption.find("p", recursive=False) or caption).extend([" ", link])
