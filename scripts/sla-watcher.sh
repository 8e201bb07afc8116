#!/bin/sh
# Makes .venv-sla, the SLA watcher's own environment, of what its constraints.txt pins: Faust and the workspace want
# different versions of the same packages. Does nothing where nothing has changed. `--lock`: resolve the pins anew.
set -eu
cd "$(dirname "$0")/.."

project=services/sla-watcher
pins=$project/constraints.txt
venv=.venv-sla
stamp=$venv/.farandole-setup
unset PYTHONPATH PYTHONHOME PIP_CONSTRAINT || true

install() {
    # $1: a Python with pip; the rest: options. The build tools first, for isolation would fetch others.
    python=$1
    shift
    pip="$python -m pip --disable-pip-version-check install --quiet"
    $pip "$@" --upgrade pip hatchling editables
    $pip "$@" --no-build-isolation --editable "$project"
}

lock() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT INT TERM
    .venv/bin/python -m venv "$scratch/venv"
    install "$scratch/venv/bin/python"
    {
        echo "# Made by \`sh scripts/sla-watcher.sh --lock\`; do not edit. The SLA watcher's own environment: what its"
        echo "# pyproject.toml asks for, and hatchling and editables to build it."
        "$scratch/venv/bin/python" -m pip freeze --all --exclude-editable --exclude setuptools --exclude wheel
    } >"$scratch/constraints.txt"
    mv "$scratch/constraints.txt" "$pins"
}

if [ "${1:-}" = --lock ]; then
    lock
fi
now=$({
    pwd -P
    cat "$project/pyproject.toml" "$pins" scripts/sla-watcher.sh
} | git hash-object --stdin)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi
printf 'sla-watcher: making %s\n' "$venv"
rm -f "$stamp"
.venv/bin/python -m venv --clear "$venv"
install "$venv/bin/python" --constraint "$pins"
echo "$now" >"$stamp"
