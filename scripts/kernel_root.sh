#!/bin/bash
# Makes the root of the machines that `make test-kernel` boots: Debian 12 with what the tests need, its kernel's modules and a virtual
# environment.  Kept in a folder of our own, as it is for User-Mode Linux and as a disk for QEMU, and made anew when any of that changes;
# the checkout itself is put in at each run.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/debian.sh

TARGET=/var/lib/netweft/kernel
MODULES=/var/lib/netweft/machine/lib/modules
PACKAGES=(openvswitch-switch haproxy wrk bird2 curl iproute2 iputils-ping ethtool python3 python3-venv busybox-static isc-dhcp-client libfaketime kmod procps tcpdump conntrack
    openssh-server ovn-central ovn-host gcc libc6-dev)

installed=$(sed -n '/^\[tool\.ruff\]/q; p' pyproject.toml) # what follows is of checks and tests
wanted=$({ cat "$0" scripts/debian.sh requirements.lock setup.py src/netweft/dataplane/stt/native/*; echo "$installed"; ls "$MODULES"; } | sha256sum)
[ "$(cat "$TARGET/made-from" 2>/dev/null)" = "$wanted" ] && exit 0
[ "$(id -u)" -eq 0 ] || fail "as root (sudo), because the machine's root is missing or old"

begin "$TARGET"
printf '  %-10s %s\n' kernel "making a Debian 12 root: some two minutes"
mkdir "$work/wheels"
quietly .venv/bin/python -m pip download --disable-pip-version-check --python-version 3.11 --only-binary=:all: \
    --require-hashes -r requirements.lock -d "$work/wheels"
debian "$work/root" "${PACKAGES[@]}"

mkdir -p "$work/root/lib/modules" "$work/root/netweft"
cp -a "$MODULES"/. "$work/root/lib/modules/"
tar -c --exclude '*.so' pyproject.toml setup.py README.md requirements.lock src/netweft/__init__.py src/netweft/dataplane/stt | tar -x -C "$work/root/netweft"
mv "$work/wheels" "$work/root/wheels"
quietly env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$work/root" sh -ec '
    depmod "$(ls /lib/modules)"
    cd /netweft
    python3 -m venv .venv
    .venv/bin/pip install --no-index --find-links /wheels --require-hashes -r requirements.lock
    .venv/bin/pip install --no-index --no-deps --no-build-isolation --editable .'
rm -rf "$work/root/wheels"
[ -e "$work/root/netweft/src/netweft/dataplane/stt/_native.abi3.so" ] || fail "STT's library was not built" # git ignores it: it is not in the checkout

rm -f "$TARGET/made-from"
rm -rf "$TARGET/root"
mv "$work/root" "$TARGET/root"
quietly mke2fs -q -F -t ext4 -d "$TARGET/root" "$TARGET/root.ext4" 2500M
chmod -R a+rX "$TARGET/root" # whoever runs a User-Mode Linux reads these files as himself
echo "$wanted" >"$TARGET/made-from"
