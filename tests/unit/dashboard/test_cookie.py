import pytest

from netweft.dashboard import cookie

TOKEN = "x7d3H-Dr4WE_Q0"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"netweft-session={TOKEN}", TOKEN),
        (f"a=b; netweft-session={TOKEN}; c=d", TOKEN),
        ("netweft-session=gAAAAB==", "gAAAAB=="),  # Keystone's
        ("", ""),
        ("netweft-session=", ""),
        (f"Netweft-Session={TOKEN}", ""),
        (f"netweft-session={TOKEN}; netweft-session=other", ""),  # whose is the second?
        (f"netweft-session={'x' * 4000}", ""),
        ("netweft-session=a b", ""),
        ('netweft-session="a"', ""),
    ],
)
def test_a_cookie_has_one_token(header: str, token: str) -> None:
    assert cookie.token_of(header) == token


def test_no_script_reads_it_and_no_other_site_sends_it() -> None:
    kept = cookie.kept(TOKEN, "/dashboard", encrypted=True)
    assert kept == f"netweft-session={TOKEN}; Path=/dashboard; HttpOnly; SameSite=Strict; Secure"
    assert "Secure" not in cookie.kept(TOKEN, "/dashboard", encrypted=False)
    assert cookie.gone("/dashboard", encrypted=False).endswith("Max-Age=0")
    assert cookie.token_of(cookie.gone("/dashboard", encrypted=False)) == ""


def test_what_is_no_token_goes_into_no_cookie() -> None:
    assert not cookie.can_hold("a; Domain=evil.example")
    assert not cookie.can_hold("a\r\nSet-Cookie: b")
    assert not cookie.can_hold("")
