"""The DHCP client of guests, busybox's, and what it does with what it learns: address, MTU, routes, DNS.

Written for the `ip` of busybox as well as that of iproute2.
"""

import shutil

from netweft.lab.layout import LabError

CLIENT = ("busybox", "udhcpc")
OPTIONS = ("-i", "eth0", "-t", "30", "-T", "1", "-n", "-O", "mtu", "-O", "staticroutes")
RESOLV_CONF = "/etc/resolv.conf"  # or $RESOLV_CONF

SCRIPT = f"""\
#!/bin/sh
case $1 in bound|renew) ;; *) exit 0 ;; esac
ip -4 address show dev $interface | grep -q "inet $ip/$mask " || {{
  ip -4 address flush dev $interface
  ip address add $ip/$mask ${{broadcast:+broadcast $broadcast}} dev $interface
}}
[ -z "$mtu" ] || ip link set $interface mtu $mtu
gateway=${{router%% *}}
set -- ${{staticroutes:-${{gateway:+0.0.0.0/0 $gateway}}}}
while [ $# -ge 2 ]; do
  via="via $2"
  [ $2 != 0.0.0.0 ] || via=
  ip route replace $1 $via dev $interface
  shift 2
done
{{
  [ -z "$domain" ] || echo "search $domain"
  for server in $dns; do echo "nameserver $server"; done
}} >${{RESOLV_CONF:-{RESOLV_CONF}}}
"""


def check() -> None:
    """Raises LabError with what to install."""
    if not shutil.which(CLIENT[0]):
        raise LabError("DHCP in a namespace needs busybox: run scripts/install.sh test")
