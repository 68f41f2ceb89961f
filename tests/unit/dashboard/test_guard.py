import pytest

from netweft.dashboard import guard

OURS = {"host": "cloud.example:9696", guard.HEADER: "1"}


@pytest.mark.parametrize(
    ("method", "more", "good"),
    [
        ("GET", {}, True),
        ("GET", {"sec-fetch-site": "same-origin"}, True),
        ("GET", {"sec-fetch-site": "cross-site"}, False),
        ("GET", {"sec-fetch-site": "same-site"}, False),
        ("GET", {"origin": "http://evil.example"}, False),
        ("POST", {"origin": "http://cloud.example:9696"}, True),
        ("POST", {"origin": "https://cloud.example:9696"}, True),  # a proxy speaks TLS for us
        ("POST", {"origin": "HTTP://CLOUD.EXAMPLE:9696"}, True),
        ("POST", {"origin": "https://net.example"}, True),  # as the catalogue calls it
        ("POST", {}, False),
        ("POST", {"origin": "null"}, False),
        ("POST", {"origin": "http://cloud.example"}, False),
        ("POST", {"origin": "http://cloud.example:9696.evil.example"}, False),
        ("POST", {"origin": "http://evil.example/cloud.example:9696"}, False),
        ("POST", {"origin": "http://cloud.example:9696@evil.example"}, False),
        ("POST", {"origin": "http://[cloud.example:9696"}, False),
        ("DELETE", {"origin": "http://sub.cloud.example:9696"}, False),
    ],
)
def test_only_our_own_page(method: str, more: dict[str, str], good: bool) -> None:
    assert (guard.problem(method, OURS | more, "https://net.example") == "") is good
    without_header = {name: value for name, value in (OURS | more).items() if name != guard.HEADER}
    assert guard.problem(method, without_header, "https://net.example")


def test_without_a_public_url_nothing_empty_is_ours() -> None:
    assert guard.foreign({"origin": "null", "host": ""}, "")
    assert guard.foreign({"origin": "", "host": ""}, "")
