#!/bin/bash
# Up to five tests that just failed, once more, alone and in labs of their own; what fails again has failed.
# Only where SECOND_TRY is set, as .ci/run does: docs/decisions/0310.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${SECOND_TRY:-}" ] || exit 1
failed=$(.venv/bin/python -c 'import json; print(*json.load(open(".pytest_cache/v/cache/lastfailed")), sep="\n")')
[ -n "$failed" ] && [ "$(wc -l <<<"$failed")" -le 5 ] || exit 1
printf '\nFAILED AT THE FIRST TRY:\n%s\n\n' "$failed"
mapfile -t tests <<<"$failed"
exec .venv/bin/pytest "${tests[@]}"
