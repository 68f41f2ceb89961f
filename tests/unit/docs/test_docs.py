"""What the documents say of the tree is true of the tree."""

import re
from pathlib import Path

import click
import pytest

from netweft.cli.commands import cli

ROOT = Path(__file__).parents[3]
PACKAGES = sorted(path.parent.name for path in (ROOT / "src" / "netweft").glob("*/__init__.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tour_visits_every_folder(package: str) -> None:
    assert re.search(rf"`{package}/", (ROOT / "docs" / "architecture.md").read_text())


@pytest.mark.parametrize("page", [*PAGES, *DECISIONS], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link.partition("#") for link in re.findall(r"\]\(([^) ]+)\)", page.read_text()) if "://" not in link]
    assert [link for link, _, _ in links if not (page.parent / link).exists()] == []
    assert [
        link + part for link, _, part in links if part and part not in anchors(page.parent / link if link else page)
    ] == []


def anchors(page: Path) -> set[str]:
    """As hosts of repositories make them of headings."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    files = set(re.findall(r"\b(?:bench|deploy|docs|examples|scripts|tests)/[\w/.-]*\w", text))
    assert [name for name in files if not any(ROOT.glob(f"{name}*"))] == []
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:^|`)(?:sudo )?make ([\w-]+)", text, re.M)) <= targets
    assert [line for line in commands(text) if not is_a_command(line.split())] == []


def commands(text: str) -> list[str]:
    """What follows `netweft` where it begins a line of code, or code in a sentence."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^```.*?\n(.*?)^```", text, re.M | re.S)
    begin = r"^(?:\$ )?(?:sudo )?(?:\.venv/bin/)?netweft ([a-z].*)"
    return [line for some in code for line in re.findall(begin, some, re.M)]


def is_a_command(words: list[str]) -> bool:
    """With options that it has."""
    command: click.Command | None = cli
    for at, word in enumerate(words):
        if not isinstance(command, click.Group) or word.startswith("-"):
            own = words[at : words.index("--") if "--" in words else None]
            options = {word.partition("=")[0] for word in own if re.fullmatch(r"--[a-z-]+(=.*)?", word)}
            return command is not None and options <= {"--help", *(name for one in command.params for name in one.opts)}
        command = command.get_command(click.Context(command), word) if re.fullmatch("[a-z-]+", word) else command
        if command is None:
            return False
    return True


def test_pages_that_the_code_names_are_there() -> None:
    texts = [ROOT / "Makefile", ROOT / "pyproject.toml", *(ROOT / "src").rglob("*.py"), *(ROOT / "deploy").rglob("*.*")]
    named = {name for text in texts for name in re.findall(r"\bdocs/[\w/-]+\.md", text.read_text())}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_decisions_have_one_number_each() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert sorted(set(numbers)) == sorted(numbers)
