"""What ovs-vswitchd says that a datapath can do."""

from netweft.dataplane.unixctl import features

SAID = "Sample nesting: 10\nCheck pkt length action: {}\nConntrack timeout policy: Yes\n"


def test_it_can_or_not_or_is_not_said() -> None:
    assert features.has(SAID.format("Yes"), features.COMPARES_LENGTHS)
    assert not features.has(SAID.format("No"), features.COMPARES_LENGTHS)
    assert not features.has("", features.COMPARES_LENGTHS)


def test_what_our_flows_need_and_it_lacks() -> None:
    said = "".join(f"{one}: Yes\n" for one in features.NEEDED)
    assert features.lacking(said) == []
    assert features.lacking(said.replace("CT zone: Yes", "CT zone: No")) == ["CT zone"]
    assert features.lacking("") == []
