"""Users, projects and roles, made and changed by an admin in the page."""

from collections.abc import Callable

import pytest
from tests.browser.conftest import ALICE, Cloud, Dashboard

HOSTILE = "<img src=x onerror=\"document.title='taken over'\">"


@pytest.fixture
def people(admins: Dashboard) -> Dashboard:
    return admins.at("people")


def _make(people: Dashboard, one: str, **values: str) -> None:
    page = people.page
    page.get_by_role("button", name=f"New {one}").click()
    for name, value in values.items():
        page.fill(f"form #field-{name}", value)
    page.locator("form.inline").get_by_role("button", name=f"New {one}").click()
    page.locator("form.inline").wait_for(state="detached")


def test_a_user_who_may_log_in(people: Dashboard, opened: Callable[..., Dashboard], cloud: Cloud) -> None:
    page = people.page
    _make(people, "project", name="red")
    _make(people, "user", name="rita", password="password of rita")
    assert people.violations() == []
    page.locator("a", has_text="rita").click()
    page.locator("h1", has_text="rita").wait_for()
    page.get_by_role("button", name="Give a role").click()
    page.locator("#field-role option", has_text="member").first.wait_for(state="attached")
    page.select_option("#field-role", label="member")
    page.locator("#field-other option", has_text="red").wait_for(state="attached")
    page.select_option("#field-other", label="red")
    page.locator("form.inline").get_by_role("button", name="Give a role").click()
    role = page.locator(".plainlist li", has_text="member in red")
    role.wait_for()
    assert people.violations() == []
    rita = opened("rita", "password of rita")
    assert rita.page.locator("header.top select option:checked").inner_text() == "red"
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Enable").wait_for()
    rita.page.goto(f"{cloud.url}/dashboard")
    rita.page.reload()
    rita.page.wait_for_selector("#user")  # out at once
    role.get_by_role("button").click()
    role.wait_for(state="detached")


def test_what_is_refused_is_said(people: Dashboard, cloud: Cloud) -> None:
    page = people.page
    page.get_by_role("button", name="New user").click()
    page.fill("form #field-name", "alice")
    page.locator("form.inline").get_by_role("button", name="New user").click()
    page.locator(".refusal", has_text="alice").wait_for()


def test_one_does_not_lock_oneself_out(people: Dashboard) -> None:
    page = people.page
    page.get_by_role("link", name="admin", exact=True).first.click()
    people.see("This is your own user")
    assert not page.get_by_role("button", name="Disable").count()
    assert not page.get_by_role("button", name="Delete").count()


def test_names_are_only_text(admins: Dashboard, cloud: Cloud) -> None:
    user = cloud.user(HOSTILE, "password of nobody", cloud.green)
    project = cloud("POST", "/identity/v3/projects", {"project": {"name": HOSTILE}})["project"]["id"]
    places = ("people", f"people/users/{user}", f"people/projects/{project}", f"people/projects/{cloud.green}")
    for place in places:
        admins.at(place).until("document.getElementById('main').textContent.includes('<img src=x')")
        assert admins.page.title() != "taken over" and not admins.page.locator("img").count()


def test_a_member_has_no_such_page(opened: Callable[..., Dashboard]) -> None:
    alices = opened("alice", ALICE)
    assert not alices.page.get_by_text("Users and projects").count()
    alices.page.goto(f"{alices.cloud.url}/dashboard/#/people")
    alices.page.locator(".refusal", has_text="403").first.wait_for()


def test_many_are_many_pages(admins: Dashboard, cloud: Cloud) -> None:
    for at in range(101):
        cloud("POST", "/identity/v3/projects", {"project": {"name": f"many-{at:03}"}})
    page = admins.at("people").page
    projects = page.locator("section[aria-label='Projects']")
    projects.locator("tbody tr", has_text="many-050").wait_for()
    assert projects.locator("tbody tr").count() == 100
    projects.get_by_role("button", name="Next page").click()
    projects.locator("tbody tr", has_text="many-100").wait_for()
    projects.get_by_role("button", name="The first").click()
    projects.locator("tbody tr", has_text="many-050").wait_for()
