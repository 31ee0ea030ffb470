"""Point the whole course at another repository.

    python tools/repository.py                                   show the address
    python tools/repository.py https://github.com/you/course     set it everywhere

The address stands in `_config.yml`; wherever else it is repeated, this replaces it.
"""

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
REPEATED = ["_config.yml", "CITATION.cff", "pyproject.toml", "*.md", "chapters/*.ipynb"]
URL = re.compile(r"https://[\w.-]+(/[\w.-]+){2,}")


def address(root: Path = ROOT) -> str:
    """The repository's address, from `_config.yml`."""
    return yaml.safe_load((root / "_config.yml").read_text())["repository"]["url"]


def set_address(new: str, root: Path = ROOT) -> list[Path]:
    """Replace the address everywhere, and return the files that changed.

    Raises:
        ValueError: `new` is not of the form https://host/owner/name.
    """
    new = new.removesuffix("/").removesuffix(".git")
    if not URL.fullmatch(new):
        raise ValueError(f"URL must look like https://github.com/owner/name, got {new!r}")
    # Not where the old address goes on: https://.../course is the start of https://.../course-2.
    old = re.compile(re.escape(address(root)) + r"(?![\w-])")
    changed = []
    for path in sorted(path for pattern in REPEATED for path in root.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        if (replaced := old.sub(lambda _: new, text)) != text:
            path.write_text(replaced, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) < 2 or not sys.argv[1]:
        print(f"{address()}\nTo change it: make repository URL=https://github.com/owner/name")
    else:
        try:
            files = set_address(sys.argv[1])
        except ValueError as error:
            raise SystemExit(str(error)) from None
        for changed_file in files:
            print(changed_file.relative_to(ROOT))
