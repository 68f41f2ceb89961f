#!/bin/bash
# Tries what the README promises on machines that have nothing yet: a root folder for each Debian, made by debootstrap from
# the package registry that this machine's apt is set up with, this commit in it, and the README's commands, one after the other.
#
#   scripts/fresh.sh [SUITE ...]      default: bookworm trixie; COMMANDS="demo check" says which make targets
#
# Writes docs/fresh.md.  Root folders stay in /var/lib/netweft/fresh for the next time, without what was installed into them.
set -euo pipefail
cd "$(dirname "$0")/.."

# in mount and process namespaces of its own: what packages' scripts start there ends with it, and nobody else is seen
if [ -z "${NETWEFT_FRESH:-}" ] && [ "$(id -u)" -eq 0 ]; then
    NETWEFT_FRESH=inside exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
fi
SUITES=("$@")
[ $# -gt 0 ] || SUITES=(bookworm trixie)
COMMANDS=${COMMANDS:-demo check}
KEPT=/var/lib/netweft/fresh
OUT=docs/fresh.md

[ "$(id -u)" -eq 0 ] || { echo "fresh: needs root: it makes root folders and mounts in them" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap >/dev/null
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | sort | uniq -c | sort -rn | awk 'NR==1{print $2}')
[ -n "$mirror" ] || { echo "fresh: apt has no package lists here: apt-get update first" >&2; exit 1; }

work=
leave() { # the mounts end with the namespace
    [ -z "$work" ] || { umount -R -l "$work" 2>/dev/null || true; rm -rf --one-file-system "$work"; }
    work=
}
trap leave EXIT

base() { # a root folder of this suite with nothing but what debootstrap puts there, as an archive
    local suite=$1 archive=$KEPT/$1.tar
    [ -e "$archive" ] && return
    mkdir -p "$KEPT"
    local new
    new=$(mktemp -d "$KEPT/new.XXXXXX")
    debootstrap --variant=minbase --include=ca-certificates,make "$suite" "$new" "$mirror" >"$KEPT/$suite.log" 2>&1 ||
        { tail -5 "$KEPT/$suite.log" >&2; rm -rf --one-file-system "$new"; exit 1; }
    tar -C "$new" -cf "$archive.new" .
    mv "$archive.new" "$archive"
    rm -rf --one-file-system "$new"
}

enter() { # unpacks it, gives it this machine's way to the registries, and this commit
    local suite=$1
    work=$(mktemp -d "$KEPT/try.XXXXXX")
    chmod 755 "$work"
    tar -C "$work" -xf "$KEPT/$suite.tar"
    mount --bind "$work" "$work" # its / has to be a mount: `ip netns exec` changes how mounts below it propagate
    mount -t proc proc "$work/proc"
    mount --rbind /sys "$work/sys"
    mount --rbind /dev "$work/dev"
    mount -t tmpfs tmpfs "$work/run"
    printf '#!/bin/sh\nexit 101\n' >"$work/usr/sbin/policy-rc.d" # no service starts by being installed
    chmod 755 "$work/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf /etc/hosts "$work/etc/" 2>/dev/null || true
    cp -rL /etc/ssl/certs/. "$work/etc/ssl/certs/" 2>/dev/null || true
    for file in /etc/pip.conf /etc/apt/apt.conf.d/[0-9]*; do
        [ -e "$file" ] && ! [ -e "$work$file" ] && ! grep -q docker <<<"$file" && install -D "$file" "$work$file"
    done
    [ -d /root/.config/pip ] && mkdir -p "$work/root/.config" && cp -r /root/.config/pip "$work/root/.config/"
    mkdir "$work/netweft"
    git archive HEAD | tar -C "$work/netweft" -x
}

inside() { # as a login on that machine would: its own PATH, our way to the registries
    local kept=()
    for name in PIP_CERT PIP_FIND_LINKS PIP_DEFAULT_TIMEOUT SSL_CERT_FILE REQUESTS_CA_BUNDLE; do
        [ -n "${!name:-}" ] && kept+=("$name=${!name}")
    done
    chroot "$work" env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${kept[@]}" sh -c "cd /netweft && $*"
}

rows=()
failed=0
for suite in "${SUITES[@]}"; do
    base "$suite"
    enter "$suite"
    for command in $COMMANDS; do
        began=$SECONDS
        [ "$command" != check ] || inside make install >"$KEPT/$suite-install.log" 2>&1 || true
        if inside make "$command" >"$KEPT/$suite-$command.log" 2>&1; then result=passed; else result=FAILED failed=1; fi
        versions="Python $(inside python3 -V 2>/dev/null | cut -d' ' -f2), Open vSwitch $(inside ovs-vswitchd --version 2>/dev/null | awk 'NR==1{print $NF}')"
        rows+=("| Debian $(cat "$work/etc/debian_version") ($suite) | $versions | \`make $command\` | $result | $((SECONDS - began)) s |")
        echo "${rows[-1]}"
        [ "$result" = passed ] || tail -25 "$KEPT/$suite-$command.log" >&2
    done
    leave
done

{
    echo "# Fresh machines"
    echo
    echo "Made by \`make fresh\` on $(date -u +%Y-%m-%d): root folders from debootstrap's smallest variant, this commit, and nothing else."
    echo "The kernel is that of the machine it ran on ($(uname -r)): these are chroots."
    echo
    echo "| machine | with | command | result | took |"
    echo "|---|---|---|---|--:|"
    printf '%s\n' "${rows[@]}"
} >"$OUT"
exit $failed
