#!/bin/sh
# Makes .venv-peers: the frameworks that `make bench-kafka` measures beside. Several of them pin what our own
# environment has newer (pydantic, click, typer), so they never share one. Does nothing when nothing has changed.
# RESOLVE=1 resolves peers.txt anew.
set -eu
cd "$(dirname "$0")/../.."

venv=.venv-peers
pins=tests/bench_kafka/peers.txt
stamp=$venv/.farandole-peers
unset PYTHONPATH PYTHONHOME PIP_CONSTRAINT || true
pip="$venv/bin/python -m pip --disable-pip-version-check"
peers="faststream[kafka] faust-streaming quixstreams dbos prefect distributed"
# Prefect 3.8.8 passes FastAPI what newer versions no longer take.
limits="fastapi<0.140 starlette<1.2"

now=$(cat "$pins" tests/bench_kafka/peers.sh | git hash-object --stdin)
if [ "${RESOLVE:-}" != 1 ] && [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi
echo "peers: making $venv"
.venv/bin/python -m venv --clear "$venv"
if [ "${RESOLVE:-}" = 1 ]; then
    # shellcheck disable=SC2086
    $pip install --quiet $peers $limits
    {
        echo "# Made by RESOLVE=1 tests/bench_kafka/peers.sh; do not edit. Each direct one: docs/adr/0002-dependencies.md."
        $pip freeze --exclude setuptools --exclude wheel
    } >"$pins"
    now=$(cat "$pins" tests/bench_kafka/peers.sh | git hash-object --stdin)
else
    # shellcheck disable=SC2086
    $pip install --quiet --constraint "$pins" $peers
fi
echo "$now" >"$stamp"
echo "peers: done"
