"""ovs-vswitchd's own control socket: what `ovs-appctl` speaks."""
