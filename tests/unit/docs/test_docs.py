"""What the documents say of the tree is true of the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = sorted(path.parent.name for path in (ROOT / "src" / "netweft").glob("*/__init__.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_tour_visits_every_folder(package: str) -> None:
    assert re.search(rf"`{package}/", (ROOT / "docs" / "architecture.md").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_decisions_have_one_number_each() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert sorted(set(numbers)) == sorted(numbers)


def test_make_targets_of_the_readme_are_there() -> None:
    named = set(re.findall(r"`(?:sudo )?make (\w+)`|^(?:sudo )?make (\w+)", (ROOT / "README.md").read_text(), re.M))
    there = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert {one or other for one, other in named} <= there
