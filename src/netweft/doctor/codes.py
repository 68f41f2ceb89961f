"""The table of doctor's codes: what a finding means, and the command that mends it.  docs/doctor.md is made of it."""

from netweft.findings import Code, known

SETTINGS_WRONG = Code("settings-wrong", "The settings cannot be used.", "netweft {role} --help")
PYTHON_OLD = Code("python-old", "Python is older than 3.11.", "apt-get install python3  # 3.11 or newer")
PACKAGES_MISSING = Code("packages-missing", "Python packages that Netweft needs are not there.", "pip install {names}")
CAPABILITIES_MISSING = Code(
    "capabilities-missing",
    "This user lacks privileges that the agent needs.",
    "sudo netweft doctor agent  # and run the agent as root, or with these in AmbientCapabilities= of its unit",
)
OPEN_FILES_FEW = known(
    "open-files-few",
    "It may have few files open at once: each connection takes one.",
    "systemctl edit netweft-{role}  # [Service] LimitNOFILE=65536",
)
CLOCK_NOT_KEPT = known("clock-not-kept", "Nothing keeps the clock right.", "apt-get install systemd-timesyncd")
CLOCK_WRONG = known(
    "clock-differs",
    "This host's clock is not the server's: times in answers and the expiry of tokens will be wrong.",
    "apt-get install systemd-timesyncd  # on both",
)
FOLDER_UNUSABLE = Code("folder-unusable", "A folder that is written to cannot be.", "install -d -m 0700 {path}")
FOLDER_OPEN = known("folder-open", "Others can write to a folder that should be ours alone.", "chmod go-w {path}")
SECRET_UNREADABLE = Code("secret-unreadable", "A file with a secret cannot be read.", "ls -l {path}")
SECRET_OPEN = known("secret-open", "Others can read a file with a secret.", "chmod 0600 {path}")

DATABASE_UNREACHABLE = Code(
    "database-unreachable", "The database cannot be used.", "netweft server --help  # --database; is it running?"
)
DATABASE_NEWER = Code(
    "database-newer",
    "The database was migrated by a newer version, or is not Netweft's.",
    "pip install --upgrade netweft",
)
DATABASE_OLDER = known(
    "database-older",
    "The schema is an older version's: the server migrates it when it starts.",
    "netweft server  # after a back-up of the database",
)
LISTEN_TAKEN = Code("listen-impossible", "The server cannot listen where it should.", "ss -ltnp  # who does")
KEYSTONE_UNREACHABLE = Code("keystone-unreachable", "Keystone does not answer.", "curl -v {url}")

OVS_MISSING = Code("ovs-missing", "Open vSwitch is not installed.", "apt-get install openvswitch-switch")
OVSDB_UNREACHABLE = Code(
    "ovsdb-unreachable",
    "ovsdb-server does not answer on its socket.",
    "systemctl start openvswitch-switch  # or set ovs_run_dir, now {run_dir}",
)
VSWITCHD_UNREACHABLE = Code(
    "vswitchd-unreachable", "ovs-vswitchd does not answer.", "systemctl restart openvswitch-switch"
)
OVS_OLD = known(
    "ovs-old", "Open vSwitch is older than 3.1, the oldest that was tried.", "apt-get install openvswitch-switch"
)
KERNEL_DATAPATH_MISSING = Code(
    "kernel-datapath-missing",
    "The settings ask for the kernel's datapath, and the kernel has none.",
    'modprobe openvswitch  # or datapath_type = "netdev"',
)
USERSPACE_DATAPATH = known(
    "userspace-datapath",
    "The kernel has no Open vSwitch datapath: the slower one in userspace will be used.",
    "modprobe openvswitch",
)
TUN_MISSING = Code("tun-missing", "The userspace datapath needs /dev/net/tun.", "modprobe tun")
DATAPATH_LACKS = Code(
    "datapath-lacks",
    "The kernel's datapath lacks what flows need: what is built on it (NAT, security groups, ...) does not work.",
    "uname -r  # Linux 5.2 or later, with CONFIG_NF_CONNTRACK_ZONES, _MARK, _LABELS and CONFIG_NF_NAT",
)
CONNTRACK_FULL = Code(
    "conntrack-full",
    "The kernel's conntrack is full, or nearly so: new connections are dropped, all tenants' and the host's.",
    "conntrack -C; sysctl -w net.netfilter.nf_conntrack_max={most}  # and see who has them: conntrack -L",
)
CONNTRACK_SMALL = known(
    "conntrack-small",
    "All tenants of this host, and the host, share one table of connections, and few fit: one VM can fill it.",
    "sysctl -w net.netfilter.nf_conntrack_max={most} net.netfilter.nf_conntrack_buckets={buckets}"
    "  # and in /etc/sysctl.d; some 400 bytes for each that there is",
)
CONNTRACK_STRICT = known(
    "conntrack-strict",
    "The kernel's conntrack takes up no TCP connection in the middle: those by SNAT end with their gateway.",
    "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1  # and in /etc/sysctl.d",
)
CONNTRACK_UNREACHABLE = Code(
    "conntrack-unreachable",
    "The kernel does not let connections be listed or ended: they outlive the rules, ports and addresses that let them "
    "in.",
    "modprobe nf_conntrack_netlink  # CONFIG_NF_CT_NETLINK",
)
CONNTRACK_UNLIMITED = known(
    "conntrack-unlimited",
    "The kernel keeps no network's connections to a limit: one that is flooded can take all that this host may track.",
    "uname -r  # a kernel with CONFIG_NETFILTER_CONNCOUNT, as distributions' are since Linux 4.18",
)
BRIDGES_FILTERED = known(
    "bridges-filtered",
    "The host's firewall sees what VMs behind Linux bridges (qbr...) send: where it forwards nothing, as by Docker, "
    "they are cut off.",
    "sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0"
    "  # or: iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT",
)
BRIDGE_MISSING = Code(
    "bridge-missing",
    "A bridge of bridge_mappings is not there.",
    "ovs-vsctl add-br {bridge} -- add-port {bridge} NIC  # the NIC that is wired to {network}",
)
BRIDGE_NO_NIC = known(
    "bridge-without-nic",
    "A bridge of bridge_mappings has no NIC in it: it is wired to nothing.",
    "ovs-vsctl add-port {bridge} NIC  # the NIC that is wired to {network}",
)
TUNNEL_UNSET = known(
    "tunnel-address-unset",
    "No tunnel_ip is set: this node has no overlay, only physical networks.",
    "netweft agent --help  # --tunnel-ip",
)
TUNNEL_NOWHERE = Code(
    "tunnel-address-nowhere", "No interface has the tunnel address.", "ip address add {address}/PREFIX dev NIC"
)
TUNNEL_NOT_ON_BRIDGE = Code(
    "tunnel-address-not-on-bridge",
    "In the userspace datapath the tunnel address has to be on a bridge's own interface, and it is on another.",
    "netweft agent --underlay {interface}  # the agent makes such a bridge, and moves the address there",
)
UNDERLAY_MISSING = Code("underlay-missing", "The NIC of the setting underlay is not there.", "ip link show")
UNDERLAY_DOWN = Code("underlay-down", "The interface of the tunnel address is down.", "ip link set {interface} up")
UNDERLAY_MTU = Code(
    "underlay-mtu-small",
    "The MTU of the underlay's interface is smaller than the server's physical_mtu: VMs' full packets will be lost.",
    "ip link set {interface} mtu {mtu}  # or physical_mtu of the server's settings",
)
TUNNEL_PORT_TAKEN = Code(
    "tunnel-port-taken",
    "Somebody else has the UDP port of a type of tunnels.",
    "ss -lunp 'sport = :{port}'; ip -d link show type vxlan",
)
STT_NOT_BUILT = known(
    "stt-not-built",
    "tunnel_types has stt, and the library that carries it was not built: this node does not offer it.",
    "apt-get install gcc libc6-dev  # then install netweft again: pip install --force-reinstall --no-deps netweft",
)
TOKEN_MISSING = Code(
    "token-missing", "The agent has no token to go to a server with.", "netweft node add {node} > {path}"
)
TOKEN_OTHERS = Code("token-of-another-node", "The token is another node's.", "netweft node add {node}")
SERVER_UNREACHABLE = Code("server-unreachable", "No server answers.", "curl -v {url}")
SERVER_ONE_UNREACHABLE = known("server-one-unreachable", "One of the servers does not answer.", "curl -v {url}")
TOKEN_REFUSED = Code(
    "token-refused", "A server does not know this node's token.", "netweft node add --rotate {node} > {path}"
)
HAPROXY_MISSING = known(
    "haproxy-missing",
    "HAProxy is not installed: what of load balancers flows cannot do, HTTP and TLS, is left to other hosts.",
    "apt-get install haproxy",
)
HAPROXY_OLD = known(
    "haproxy-old", "HAProxy is older than 2.6, the oldest that was tried.", "apt-get install haproxy  # and its version"
)
SERVICE_CONFLICT = Code(
    "service-conflict", "Another service keeps Open vSwitch here, too.", "systemctl disable --now {name}"
)
NETWORKMANAGER = Code(
    "networkmanager-manages-bridge",
    "NetworkManager manages a bridge that is ours.",
    "printf '[keyfile]\\nunmanaged-devices=interface-name:br-*\\n' > /etc/NetworkManager/conf.d/netweft.conf;"
    " systemctl reload NetworkManager",
)

CODES = tuple(value for value in list(globals().values()) if isinstance(value, Code))
