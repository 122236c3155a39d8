#!/usr/bin/env bash
# Builds a Python environment in the folder $1, of the requirements $2 or of the notebooks', unless it is there and whole:
# it is if it holds the requirements it was made of, which are put there last.
set -euo pipefail
folder=$1
requirements=${2:-$(dirname "$0")/requirements.txt}
python=${PYTHON:-python3}

fail() {
    echo "notebooks: $1" >&2
    exit 1
}

if cmp -s "$requirements" "$folder/made-of.txt" && "$folder/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

# Debian has venv's half, ensurepip, in a package of its own.
has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }
if ! has_venv; then
    echo "notebooks: $python has no venv" >&2
    [ "$(id -u)" = 0 ] || fail "not root, so nothing is installed: install python3 and python3-venv"
    command -v apt-get >/dev/null || fail "there is no apt-get: install Python 3.11 or later with venv"
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy python3 python3-venv; } >&2 ||
        fail "apt-get could not install python3-venv: is there a network?"
    has_venv || fail "$python has no venv still: set PYTHON to one that has"
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: 3.11 or later is needed (set PYTHON)"

rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
    -r "$requirements" >&2 || fail "pip could not install $requirements: is there a network?"
"$folder/bin/python" -m pip check >&2 || fail "the versions in $requirements do not fit together"
cp "$requirements" "$folder/made-of.txt"
