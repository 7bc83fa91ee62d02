#!/bin/sh
# Compiles rules.cairo to rules.json.
#
#   build.sh           writes rules.json beside this script
#   build.sh --check   compiles elsewhere and fails unless rules.json is byte for byte what comes out
#
# Needs python3 (3.9 to 3.12), a C compiler and the headers of gmp (Debian: libgmp-dev). The compiler is installed from PyPI into
# a virtual environment in $SHARDWIRE_CAIRO_CACHE, which is kept, or in a temporary folder, which is not. Another python is named
# by $PYTHON.
set -eu

# Any other version compiles to another program, with another hash.
version=0.14.3a3

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
check=no
case "${1-}" in
    '') ;;
    --check) check=yes ;;
    *) echo "usage: build.sh [--check]" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cache=${SHARDWIRE_CAIRO_CACHE:-$work}
venv=$cache/cairo-lang-$version
if [ ! -x "$venv/bin/cairo-compile" ]; then
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
"$venv/bin/cairo-compile" --proof_mode --no_debug_info "$here/rules.cairo" --output "$work/indented.json"
"$venv/bin/python" -c '
import json, sys
json.dump(json.load(sys.stdin), sys.stdout, separators=(",", ":"))
print()
' < "$work/indented.json" > "$work/rules.json"

if [ "$check" = no ]; then
    cp "$work/rules.json" "$here/rules.json"
    echo "wrote $here/rules.json" >&2
elif cmp "$work/rules.json" "$here/rules.json"; then
    echo "rules.json is what rules.cairo compiles to" >&2
else
    echo "rules.json is not what rules.cairo compiles to: run node/program/rules/build.sh and commit the result" >&2
    exit 1
fi
