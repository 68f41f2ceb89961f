#!/bin/bash
# A row of docs/runs.md, of a whole run's output: scripts/run_row.sh LOG WHEN COMMIT SECONDS BESIDE >> docs/runs.md
# SECONDS: that .ci/run took.  BESIDE: what else ran on the machine, in words.
set -euo pipefail
[ $# -eq 5 ] || { sed -n 2,3p "$0" >&2; exit 2; }
log=$1 when=$2 commit=$3 seconds=$4 beside=$5
ended=$(grep -E '^=+ .*[0-9]+ (passed|failed).* =+$' "$log" | head -n 1) || true
[ -n "$ended" ] || { echo "$log: the tests did not come to an end" >&2; exit 1; }
passed=$(grep -oE '[0-9]+ passed' <<<"$ended" | cut -d' ' -f1) || passed=0
first=yes
grep -qE '[0-9]+ (failed|errors?)' <<<"$ended" && first=no
failed=$(sed '/^FAILED AT THE FIRST TRY/,$d' "$log" | grep -oE '^(FAILED|ERROR) [^[ ]+' | cut -d' ' -f2 | sort -u |
  sed 's/.*/`&`/' | paste -sd' ') || failed=
minutes=$(awk "BEGIN { printf \"%.1f\", $seconds / 60 }")
echo "| $when | $commit | $beside | $first | $passed | $minutes | $failed |"
