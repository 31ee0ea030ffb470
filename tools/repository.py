"""Point the whole course at another repository.

    python tools/repository.py                                   show the address
    python tools/repository.py https://github.com/you/course     set it everywhere
    URL=https://github.com/you/course python tools/repository.py --from-environment

The address stands in `_config.yml`; wherever else it is repeated, this replaces it. A chapter's
cells are named by their content, so those that change get new names: the tests stay green.
(`make repository URL=...` hands the address over in the environment, where no shell reads it.)
"""

import os
import re
import sys
from pathlib import Path

import notebooks
import safely
import yaml

ROOT = Path(__file__).resolve().parents[1]
REPEATED = ["_config.yml", "CITATION.cff", "pyproject.toml", "*.md", "chapters/*.ipynb"]
REPEATED += ["experiments/sheets/*.ipynb"]
# Only GitHub: Colab opens no other notebooks. No "..", and nothing that starts with "-".
NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
PLACEHOLDER = "https://github.com/example/"  # nobody's: what the course is handed out with
URL = re.compile(rf"https://github\.com/{NAME}/{NAME}")


def settings(root: Path) -> dict:
    """What `_config.yml` says."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8")) or {}


def address(root: Path = ROOT) -> str:
    """The repository's address, from `_config.yml`."""
    return settings(root)["repository"]["url"]


def is_placeholder(root: Path = ROOT) -> bool:
    """Whether the address is still the one that the course is handed out with."""
    return settings(root).get("repository", {}).get("url", "").startswith(PLACEHOLDER)


def checked(url: str) -> str:
    """The address without a slash or `.git` at its end.

    Raises:
        ValueError: it is not of the form https://github.com/owner/name.

    Example:
        >>> checked("https://github.com/you/course.git")
        'https://github.com/you/course'
    """
    plain = url.strip().removesuffix("/").removesuffix(".git")
    if not URL.fullmatch(plain) or ".." in plain:
        raise ValueError(f"URL must look like https://github.com/owner/name, got {url!r}")
    return plain


def set_address(new: str, root: Path = ROOT) -> list[Path]:
    """Replace the address everywhere, and return the files that changed.

    Raises:
        ValueError: `new` is not of the form https://github.com/owner/name.
        OSError: a file could not be written; then none has changed.
    """
    new = checked(new)
    # Not where the old address goes on: https://.../course is the start of https://.../course-2.
    old = re.compile(re.escape(address(root)) + r"(?![\w-])")
    changed = {}
    for path in sorted(path for pattern in REPEATED for path in root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if (replaced := old.sub(lambda _: new, text)) != text:
            named = path.suffix == ".ipynb" and path.parent.name == "chapters"
            changed[path] = notebooks.with_new_ids(replaced) if named else replaced
    safely.write_all(changed)
    return list(changed)


def main(arguments: list[str]) -> None:
    """Show the address, or set it and name the files that changed."""
    url = os.environ.get("URL", "") if arguments == ["--from-environment"] else "".join(arguments)
    if not url:
        print(f"{address()}\nTo change it: make repository URL=https://github.com/owner/name")
        return
    try:
        changed = set_address(url)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from None
    for path in changed:
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
