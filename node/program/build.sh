#!/bin/sh
# Compiles programs in Cairo 0, each with the files beside it.
#
#   build.sh SOURCE.cairo           writes SOURCE.json beside the source
#   build.sh SOURCE.cairo --check   compiles elsewhere and fails unless SOURCE.json is byte for byte what comes out
#   build.sh --check                the same for every program below this folder: each SOURCE.cairo that has a SOURCE.json beside it
#
# Needs python3 (3.9 to 3.12), a C compiler and the headers of gmp (Debian: libgmp-dev). The compiler is installed from PyPI into
# a virtual environment in $SHARDWIRE_CAIRO_CACHE, which is kept, or in a temporary folder, which is not. Another python is named
# by $PYTHON.
set -eu

# Any other version compiles to another program, with another hash.
version=0.14.3a3

usage() {
    echo "usage: build.sh SOURCE.cairo [--check], or build.sh --check" >&2
    exit 2
}
source='' check=no
case $#:${1-}:${2-} in
    1:--check:) check=yes ;;
    1:*:) source=$1 ;;
    2:*:--check) source=$1 check=yes ;;
    *) usage ;;
esac
[ -z "$source" ] || [ -f "$source" ] || usage

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cache=${SHARDWIRE_CAIRO_CACHE:-$work}
venv=$cache/cairo-lang-$version
# One that was moved, or whose python is gone, is there and doesn't run.
if ! "$venv/bin/cairo-compile" --version >/dev/null 2>&1; then
    echo "installing cairo-lang $version into $venv" >&2
    rm -rf "$venv"
    mkdir -p "$cache"
    "${PYTHON:-python3}" -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet "cairo-lang==$version"; then
        rm -rf "$venv"
        echo "cairo-lang $version can't be installed: it needs python 3.9 to 3.12, a C compiler and gmp's headers (libgmp-dev)" >&2
        exit 1
    fi
fi

# In proof mode; without debug information, which would hold this folder's path. Compacted: the compiler indents.
build() {
    here=$(CDPATH='' cd -- "$(dirname -- "$1")" && pwd)
    name=$(basename -- "$1" .cairo)
    "$venv/bin/cairo-compile" --proof_mode --no_debug_info --cairo_path "$here" "$here/$name.cairo" --output "$work/indented.json"
    "$venv/bin/python" -c '
import json, sys
json.dump(json.load(sys.stdin), sys.stdout, separators=(",", ":"))
print()
' < "$work/indented.json" > "$work/$name.json"

    if [ "$check" = no ]; then
        cp "$work/$name.json" "$here/$name.json"
        echo "wrote $here/$name.json" >&2
    elif cmp "$work/$name.json" "$here/$name.json"; then
        echo "$name.json is what $name.cairo compiles to" >&2
    else
        echo "$name.json is not what $name.cairo compiles to: run node/program/build.sh $1 and commit the result" >&2
        exit 1
    fi
}

if [ -n "$source" ]; then
    build "$source"
    exit
fi
find "$(dirname -- "$0")" -name '*.cairo' | sort > "$work/sources"
found=0
while read -r source; do
    [ -f "${source%.cairo}.json" ] || continue
    build "$source"
    found=$((found + 1))
done < "$work/sources"
[ "$found" -gt 0 ] || { echo "no program is compiled below $(dirname -- "$0")" >&2; exit 1; }
