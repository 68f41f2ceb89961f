#!/bin/bash
# Builds the dashboard from web/ into FOLDER, with what web/package-lock.json names; without FOLDER only gets that ready.
set -euo pipefail
folder=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../web"
command -v npm >/dev/null || { echo "this needs Node.js and npm" >&2; exit 1; }
wanted=$(sha256sum package-lock.json)
if [ "$(cat node_modules/.installed-from 2>/dev/null)" != "$wanted" ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    echo "$wanted" >node_modules/.installed-from
fi
[ -n "$folder" ] || exit 0
node_modules/.bin/tsc --noEmit
node build.mjs "$folder"
