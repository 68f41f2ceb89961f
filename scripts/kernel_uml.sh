#!/bin/bash
# Makes the User-Mode Linux that `make test-kernel` runs: a kernel that is a program, from this Debian's own sources, with Open vSwitch's
# datapath.  (Debian's package user-mode-linux has the module, but no connection tracking zones.)  Kept in a folder of our own, and made
# anew when the sources or the settings change: some eight minutes of one processor.
set -euo pipefail
cd "$(dirname "$0")/.."

TARGET=/var/lib/netweft/kernel
SETTINGS=scripts/kernel_uml.config

fail() { printf 'kernel_uml: %s\n' "$1" >&2; exit 1; }

wanted=$(cat "$0" "$SETTINGS" | sha256sum)
[ "$(cat "$TARGET/linux.made-from" 2>/dev/null)" = "$wanted" ] && exit 0
[ "$(id -u)" -eq 0 ] || fail "as root (sudo), because the User-Mode Linux is missing or old"

package=$(apt-cache depends linux-source | sed -nE 's/^ *Depends: (linux-source-[0-9].*)/\1/p')
[ -n "$package" ] || fail "apt of this machine knows no linux-source"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
log=$work/log
quietly() { "$@" >"$log" 2>&1 || { tail -n 50 "$log" >&2; fail "this failed: $*"; }; }

printf '  %-10s %s\n' kernel "building a User-Mode Linux from $package: some eight minutes of a processor"
quietly env -C "$work" apt-get download -q "$package"
dpkg-deb --fsys-tarfile "$work/$package"_*.deb | tar -x -O "./usr/src/$package.tar.xz" | tar -x -J -C "$work"
cp "$SETTINGS" "$work/settings"
build=(make -C "$work/$package" ARCH=um "O=$work/out")
quietly "${build[@]}" allnoconfig KCONFIG_ALLCONFIG="$work/settings"
while read -r setting; do
    grep -qxF -- "$setting" "$work/out/.config" || fail "these sources do not know $setting"
done < <(grep '^CONFIG_' "$SETTINGS")
quietly "${build[@]}" -j "$(nproc)" linux

mkdir -p "$TARGET"
rm -f "$TARGET/linux.made-from"
strip -o "$TARGET/linux.new" "$work/out/linux"
mv "$TARGET/linux.new" "$TARGET/linux"
echo "$wanted" >"$TARGET/linux.made-from"
