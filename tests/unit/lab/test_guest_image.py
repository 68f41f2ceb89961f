"""What goes into a real machine's initial RAM disk."""

from netweft.lab import guest_image
from netweft.lab.guest import Nic


def test_modules_are_loaded_after_what_they_need() -> None:
    needs = {"a.ko": ["b.ko", "c.ko"], "b.ko": ["c.ko"], "c.ko": []}
    order = list(dict.fromkeys(guest_image._load_order("a.ko", needs)))
    assert order == ["c.ko", "b.ko", "a.ko"]


def test_the_network_is_what_the_port_says() -> None:
    nic = Nic(
        tap="tap0",
        mac="fa:16:3e:00:00:01",
        mtu=1450,
        addresses=("10.5.5.7/24", "fd00::7/64"),
        gateways=("10.5.5.1", "fd00::1"),
    )
    script = guest_image._network("web; reboot", nic)
    for line in (
        "hostname 'web; reboot'",
        "ip link set eth0 mtu 1450 up",
        "ip address add 10.5.5.7/24 dev eth0",
        "ip address add fd00::7/64 dev eth0",
        "ip route add default via 10.5.5.1 dev eth0",
        "ip route add default via fd00::1 dev eth0",
    ):
        assert line in script.splitlines()


def test_a_port_without_an_address_is_a_nic_without_one() -> None:
    nic = Nic(tap="tap0", mac="fa:16:3e:00:00:01", mtu=1450)
    assert nic.address == ""
    assert "address add" not in guest_image._network("web", nic)


def test_what_is_learnt_is_not_printed() -> None:
    addresses, gateways = ("10.5.5.7/24", "fd00::7/64"), ("10.5.5.1", "fd00::1")
    nic = Nic(tap="t", mac="fa:16:3e:00:00:01", mtu=1450, addresses=addresses, gateways=gateways, dhcp=True)
    script = guest_image._network("web", nic)
    assert not {"10.5.5.7", "10.5.5.1", "1450"} & set(script.replace("/", " ").split())
    assert "ip address add fd00::7/64 dev eth0" in script.splitlines()
    assert "busybox udhcpc" in script
