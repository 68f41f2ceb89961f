"""What the kernel's datapath lacks: as `dpif/set-dp-features` calls it, and `dpif/show-dp-features` shows it."""

LINUX_6_1 = {
    "nd_ext": "IPv6 ND Extension",
    "tnl_push_pop": "Tunnel push pop",
    "lb_output_action": "Optimized Balance TCP mode",
    "explicit_drop_action": "Explicit Drop action",
}
BEFORE = {"ct_zero_snat": "Conntrack all-zero IP SNAT"}
