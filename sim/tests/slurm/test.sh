#!/usr/bin/env bash
# A study through a real Slurm, on this machine: submitted, a task killed half way, resumed, and equal to
# what the same program gives by itself. Usage: test.sh ARBORETUM. Needs root, slurm-wlm and munge.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
arboretum=$(realpath "$1")
work=$(mktemp -d)
. "$here/cluster.sh"
trap 'stop_cluster; rm -rf "$work"' EXIT
start_cluster "$work/cluster"
cd "$work"
cp "$here/study.toml" .

results() { # A table without what the host measured.
    python3 - "$1" <<'PYTHON'
import csv, sys
rows = list(csv.reader(open(sys.argv[1])))
kept = [at for at, name in enumerate(rows[0]) if not name.startswith("host.")]
print("\n".join(",".join(row[at] for at in kept) for row in rows))
PYTHON
}

same() {
    diff <(results local/cells.csv) <(results "$1/cells.csv")
    echo "$1: the cells of the local run"
}

fail() {
    echo "$1" >&2
    exit 1
}

"$arboretum" study study.toml --out local --quiet

echo "== submitted, waited for and collected"
"$arboretum" study study.toml --out waited --executor slurm --chunk 3 --quiet
same waited

echo "== detached, a task killed half way, resumed"
"$arboretum" study study.toml --out killed --executor slurm --chunk 2 --detach --slurm-option=--cpus-per-task=1
job=$(cat killed/slurm/job)
for _ in $(seq 300); do # until some cells are there, and others are not
    ready=$({ find killed/cells -name cell.sha256 2>/dev/null || true; } | wc -l)
    if [ "$ready" -ge 2 ]; then break; fi
    sleep 0.1
done
task=$(squeue --noheader --array --states=running --format=%i --jobs "$job" | tail -n 1)
[ -n "$task" ] || fail "no task runs any more: the study is too small to kill one of its tasks"
scancel --signal=KILL --full "$task"
scancel "$job" # and what has not begun, so that something is missing however fast the machine is
if "$arboretum" study study.toml --out killed --resume --quiet 2>said; then
    fail "a study with a killed task was collected as a whole one"
fi
cat said
grep -q "cells have no result" said || fail "it does not say what is missing"
lacking=$(grep -o '^arboretum: [0-9]* of' said | grep -o '[0-9]*')
kept=$(find killed/cells -name cell.sha256 | sort | xargs stat -c '%n %Y')
"$arboretum" study study.toml --out killed --executor slurm --chunk 2 --quiet
same killed
still=$(echo "$kept" | cut -d' ' -f1 | xargs stat -c '%n %Y')
[ "$kept" = "$still" ] || fail "cells that were finished have been run again"
echo "$lacking cells were run anew, $(echo "$kept" | wc -l) were not"

echo "== what is whole is not submitted"
before=$(cat waited/slurm/job)
"$arboretum" study study.toml --out waited --executor slurm --chunk 3 --quiet
[ "$(cat waited/slurm/job)" = "$before" ] || fail "a whole study was submitted again"

echo "== a task by its number, as other arrays run it"
rm -rf alone && mkdir alone && cp waited/manifest.json alone/
tasks=$(python3 -c 'import json; print(json.load(open("alone/manifest.json"))["tasks"])')
for index in $(seq 0 $((tasks - 1))); do
    "$arboretum" cell alone/manifest.json "$index" --quiet
done
"$arboretum" study study.toml --out alone --resume --quiet
same alone
