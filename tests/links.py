"""Are the links of the prose and the notebooks alive? `make links` looks, and ends with 1 where one is not.

Links to files are looked up in this checkout, links to the web are asked for, up to three times. Where no
address answers at all there is no network, and only the files are looked at. Standard library only.
"""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AGENT = "Mozilla/5.0 (scaling-laws-course; link check)"
REFUSED = (401, 403, 405, 429)
"""Answers of a server that is there and does not like to be asked by a program."""

_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_BARE = re.compile(r"https?://[^\s<>\"'`)\]}]+[^\s<>\"'`)\]}.,;:]")


def prose(path: Path) -> str:
    """The Markdown of a file: all of a .md, the text cells of a notebook; code in backticks left out."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def links(text: str) -> set[str]:
    """Every address that a text links to or names."""
    return set(_LINK.findall(text)) | set(_BARE.findall(text))


def files(root: Path = ROOT) -> Iterator[Path]:
    """The files whose links are looked at."""
    yield from sorted(root.glob("*.md"))
    for folder in ("notebooks", "solutions"):
        yield from sorted(path for path in (root / folder).rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def missing(path: Path, link: str) -> bool:
    """Whether a link to a file leads nowhere."""
    target = urllib.parse.unquote(link.partition("#")[0])
    return bool(target) and not (path.parent / target).exists()


def ask(address: str, tries: int = 3, wait: float = 5.0, timeout: float = 20.0) -> str:
    """What is wrong with an address of the web, "" for nothing; "no answer: ..." where no server spoke."""
    problem = ""
    for attempt in range(tries):
        if attempt:
            time.sleep(wait * attempt)
        try:
            request = urllib.request.Request(address, headers={"User-Agent": AGENT})
            with urllib.request.urlopen(request, timeout=timeout):
                return ""
        except urllib.error.HTTPError as error:
            if error.code in REFUSED:
                return ""
            problem = f"HTTP {error.code}"
            if error.code in (404, 410):
                break
        except (OSError, ValueError) as error:
            problem = f"no answer: {error}"
    return problem


def main(root: Path = ROOT, wait: float = 5.0) -> int:
    """Print each dead link with the files that have it; returns the exit status."""
    found: dict[str, list[str]] = {}
    dead = []
    for path in files(root):
        name = path.relative_to(root).as_posix()
        for link in links(prose(path)):
            if link.startswith(("http://", "https://")):
                found.setdefault(link.partition("#")[0], []).append(name)
            elif not re.match(r"[a-z]+:", link) and missing(path, link):
                dead.append(f"{name}: {link} is not there")
    addresses = sorted(found)
    with ThreadPoolExecutor(8) as pool:
        problems = dict(zip(addresses, pool.map(lambda address: ask(address, wait=wait), addresses), strict=True))
    if addresses and all(problem.startswith("no answer") for problem in problems.values()):
        print(f"No network: the {len(addresses)} links to the web were not looked at.")
    else:
        dead += [
            f"{', '.join(sorted(set(found[a]))[:3])}: {a} ({problem})" for a, problem in problems.items() if problem
        ]
    print("\n".join(dead) if dead else "No dead link.")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
