# Sourced by what makes roots of Debian 12 for virtual machines.

fail() { printf '%s: %s\n' "${0##*/}" "$1" >&2; exit 1; }

begin() { # a folder "$work" below this one, which is gone in the end
    mkdir -p "$1"
    work=$(mktemp -d -p "$1")
    trap leave EXIT
}

leave() { # whoever interrupts mmdebstrap leaves this machine's /dev/shm and /proc mounted in there
    awk -v folder="$work/" 'index($2, folder) == 1 { print $2 }' /proc/mounts | tac | xargs -r umount -l
    rm -rf --one-file-system "$work"
}

quietly() { # what it says is shown only when it fails
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "this failed: $*"; }
}

debian() { # FOLDER PACKAGE...: from where apt gets Debian; the signatures are checked with the keys of this machine
    local folder=$1 mirror
    shift
    mirror=$(apt-get indextargets --format '$(SITE) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | awk '{print $2}' | grep -v security | head -n 1)
    [ -n "$mirror" ] || fail "apt of this machine knows no repository of Debian's"
    quietly mmdebstrap --variant=minbase --include="$(IFS=,; echo "$*")" bookworm "$folder" "$mirror"
    rm -rf "$folder/var/cache/apt" "$folder/var/lib/apt/lists"
}
