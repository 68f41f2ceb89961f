#!/bin/bash
# Makes the disk of `netweft lab vm add --kind debian`: Debian 12 as its cloud images are, with cloud-init, netplan and systemd-networkd,
# and the guest kernel's modules.  Kept in a folder of our own, and made anew when any of that changes.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh

TARGET=/var/lib/netweft/debian
MODULES=/var/lib/netweft/machine/lib/modules
PACKAGES=(systemd-sysv udev dbus cloud-init netplan.io systemd-resolved isc-dhcp-client openssh-server sudo iproute2 iputils-ping kmod)

wanted=$({ cat "$0" scripts/debian.sh; ls "$MODULES"; } | sha256sum)
[ "$(cat "$TARGET/made-from" 2>/dev/null)" = "$wanted" ] && exit 0
[ "$(id -u)" -eq 0 ] || fail "as root (sudo), because the disk is missing or old"

begin "$TARGET"
printf '  %-10s %s\n' machine "making a Debian 12 with cloud-init: some two minutes"
debian "$work/root" "${PACKAGES[@]}"
mkdir -p "$work/root/lib/modules"
cp -a "$MODULES"/. "$work/root/lib/modules/"
# as an image is that nobody has booted yet
quietly env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$work/root" sh -ec '
    depmod "$(ls /lib/modules)"
    systemctl enable systemd-networkd systemd-resolved
    echo uninitialized >/etc/machine-id
    rm -f /etc/ssh/ssh_host_* /etc/hostname /etc/resolv.conf
    ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf'

rm -f "$TARGET/made-from"
quietly mke2fs -q -F -t ext4 -d "$work/root" "$work/root.ext4" 2G
mv "$work/root.ext4" "$TARGET/root.ext4"
echo "$wanted" >"$TARGET/made-from"
