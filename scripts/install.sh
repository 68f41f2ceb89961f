#!/bin/bash
# Sets up what Netweft needs on Debian 12 or 13.  Safe to run again: a second run takes well under a second.
#
#   scripts/install.sh          Open vSwitch, iproute2, ... and the virtual environment: enough for the demo and the lab
#   scripts/install.sh test     also PostgreSQL's programs, QEMU, libvirt, a DHCP client, a guest kernel,
#                               Chromium and Node.js: what the tests need
#   scripts/install.sh kernel   what `make test-kernel` needs: QEMU, a guest kernel, a User-Mode Linux, and a Debian root for both
#   scripts/install.sh cloud-init   the disk of `netweft lab vm add --kind debian`, for `make test-cloud-init`
#   scripts/install.sh conformance   also tempest, whose API tests `make conformance` runs
#   scripts/install.sh barbican a Keystone and a Barbican: `make test-barbican`
#   scripts/install.sh nova     a Nova and its Placement, and RabbitMQ: `make test-nova`
#   scripts/install.sh deploy   promtool, of Debian's package prometheus, which is not installed: `make test-deploy` needs no more
#   scripts/install.sh bench    also what makes the load of the benchmarks; OVN beside it takes ovn-central and ovn-host
#
# It starts no service itself and needs none: labs and tests run their own ovsdb-server, ovs-vswitchd and PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/.."

DEMO_PACKAGES=(openvswitch-switch iproute2 iputils-ping ethtool python3 python3-venv ca-certificates)
TEST_PACKAGES=(haproxy wrk postgresql bird2 qemu-system-x86 busybox-static cpio lz4 libvirt-daemon libvirt-clients isc-dhcp-client libfaketime
    openssh-server netconfd chromium fonts-dejavu-core gcc libc6-dev tshark ovn-central ovn-host openvswitch-vtep lldpd)
BENCH_PACKAGES=(iperf3 haproxy wrk)
NOVA_PACKAGES=(rabbitmq-server postgresql)
DEBIAN_PACKAGES=(qemu-system-x86 busybox-static cpio mmdebstrap e2fsprogs debian-archive-keyring)
KERNEL_PACKAGES=("${DEBIAN_PACKAGES[@]}" git
    gcc libc6-dev make flex bison bc xz-utils)
PROMTOOL=/var/lib/netweft/bin/promtool
MACHINE_DIR=/var/lib/netweft/machine   # the guest kernel of `netweft lab vm add --kind qemu`

say() { printf '  %-10s %s\n' "$1" "$2"; }
fail() { printf 'install: %s\n' "$1" >&2; exit 1; }

quietly() { # runs a command; its output is shown only when it fails
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        fail "this failed: $*"
    fi
    rm -f "$log"
}

update_lists() { # once a run, and only when something is missing
    [ -n "${lists_updated:-}" ] && return
    say apt "updating the package lists"
    quietly apt-get update -q
    lists_updated=yes
}

install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || fail "as root (sudo), because these packages are missing: ${missing[*]}"
    command -v apt-get >/dev/null || fail "this needs apt; please install by hand: ${missing[*]}"
    update_lists
    say apt "installing ${missing[*]}"
    quietly env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# The distribution's own, which hypervisors have, before another one on the PATH: what 3.11.2 gets wrong 3.11.7 need not.
PYTHON=/usr/bin/python3
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || PYTHON=python3

install_python() {
    local stamp=.venv/.installed-from wanted
    # the path too: a work tree that was moved needs its scripts written anew
    wanted=$({ cat requirements.lock pyproject.toml setup.py src/netweft/dataplane/stt/native/*; pwd; command -v gcc || true; "$PYTHON" -V; } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null && return
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "Python 3.11 or newer is needed"
    [ "$(.venv/bin/python -V 2>/dev/null)" = "$("$PYTHON" -V)" ] || quietly "$PYTHON" -m venv --clear .venv
    say python "installing requirements.lock into .venv"
    quietly .venv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
    quietly .venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
    echo "$wanted" >"$stamp"
}

install_beside() { # what tests use of others, in an environment of its own, .venv/NAME: its libraries are not ours
    local name=$1 stamp=.venv/$1/.installed-from lock=tests/$1/requirements.lock wanted
    wanted=$({ cat "$lock"; pwd; } | sha256sum)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
    say python "installing $lock into .venv/$name"
    quietly "$PYTHON" -m venv --clear ".venv/$name"
    quietly ".venv/$name/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$lock"
    echo "$wanted" >"$stamp"
}

kernel_packages() { # the packages that hold the newest small kernel for virtual machines, and its modules
    local meta=$1
    apt-cache depends "$meta" 2>/dev/null | sed -nE 's/^ *Depends: (linux-(image|modules)-[0-9].*)/\1/p'
}

install_machine() { # unpacked into a folder of our own: a guest's kernel has no business in the host's /boot
    [ -e "$MACHINE_DIR/vmlinuz" ] && return
    [ "$(dpkg --print-architecture)" = amd64 ] || { say machine "skipped: there is a guest kernel for amd64 only"; return; }
    [ "$(id -u)" -eq 0 ] || fail "as root (sudo), because the guest kernel is missing"
    local meta=linux-image-cloud-amd64 packages work
    grep -qx 'ID=ubuntu' /etc/os-release && meta=linux-image-virtual
    packages=$(kernel_packages "$meta")
    [ -n "$packages" ] || { update_lists; packages=$(kernel_packages "$meta"); }
    if [ "$meta" = linux-image-virtual ]; then
        packages+=" $(sed 's/linux-image-/linux-modules-/' <<<"$packages")"
    fi
    say machine "fetching ${packages//$'\n'/ }"
    work=$(mktemp -d)
    chmod 755 "$work"
    # shellcheck disable=SC2086  # one argument a package
    (cd "$work" && { apt-get download -q $packages || { apt-get update -q && apt-get download -q $packages; }; }) \
        >/dev/null 2>&1 || fail "could not fetch: $packages"
    for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/tree"; done
    mkdir -p "$MACHINE_DIR/lib"
    rm -rf "$MACHINE_DIR/lib/modules"
    if [ -d "$work/tree/usr/lib/modules" ]; then mv "$work/tree/usr/lib/modules" "$MACHINE_DIR/lib/"; else mv "$work/tree/lib/modules" "$MACHINE_DIR/lib/"; fi
    depmod -b "$MACHINE_DIR" "$(ls "$MACHINE_DIR/lib/modules")" 2>/dev/null || true
    cp "$work"/tree/boot/vmlinuz-* "$MACHINE_DIR/vmlinuz.new"
    mv "$MACHINE_DIR/vmlinuz.new" "$MACHINE_DIR/vmlinuz" # last: its presence says that all is there
    rm -rf "$work"
}

install_promtool() { # 19 MB to fetch, one program of it to keep
    [ -x "$PROMTOOL" ] && return
    [ "$(id -u)" -eq 0 ] || fail "as root (sudo), because promtool is missing"
    local work
    update_lists
    say promtool "fetching it"
    work=$(mktemp -d)
    chmod 755 "$work"
    (cd "$work" && apt-get download -q prometheus) >/dev/null 2>&1 || fail "could not fetch: prometheus"
    dpkg-deb -x "$work"/prometheus_*.deb "$work/tree"
    install -D "$work/tree/usr/bin/promtool" "$PROMTOOL"
    rm -rf "$work"
}

install_web() { # the eight packages that build the dashboard, and what looks for faults of it that shut people out
    command -v npm >/dev/null || install_packages nodejs npm
    scripts/web.sh
}

install_packages "${DEMO_PACKAGES[@]}"
if [ "${1:-}" = test ]; then
    install_packages "${TEST_PACKAGES[@]}"
    install_machine
    install_web
elif [ "${1:-}" = bench ]; then
    install_packages "${BENCH_PACKAGES[@]}"
elif [ "${1:-}" = cloud-init ]; then
    install_packages "${DEBIAN_PACKAGES[@]}" openssh-client
    install_machine
    scripts/debian_root.sh
elif [ "${1:-}" = nova ]; then
    install_packages "${NOVA_PACKAGES[@]}"
elif [ "${1:-}" = deploy ]; then
    install_promtool
elif [ "${1:-}" = kernel ]; then
    install_packages "${KERNEL_PACKAGES[@]}"
    install_machine
fi
install_python
[ "${1:-}" != test ] || install_beside keystone
[ "${1:-}" != barbican ] || { install_beside keystone; install_beside barbican; }
[ "${1:-}" != faucet ] || install_beside faucet
[ "${1:-}" != conformance ] || install_beside conformance
[ "${1:-}" != nova ] || install_beside nova
[ "${1:-}" != kernel ] || { scripts/kernel_root.sh && scripts/kernel_uml.sh; }
