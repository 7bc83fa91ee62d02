#!/bin/sh
# Compiles the contracts of the dungeon, and the one in ../sessions: NAME.cairo to NAME.sierra.json and NAME.casm.json.
#
#   build.sh           writes them beside their sources
#   build.sh --check   compiles elsewhere and fails unless they are byte for byte what comes out
#
# Needs python3 with pip. The compilers are static programs in two releases of cairo-lang on PyPI: 0.12.3 has the last one that comes with
# a whole core library (Cairo 2.1), 0.14.0.1 the one that makes CASM of any Sierra. They are kept in $SHARDWIRE_CAIRO_CACHE if it is set.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
check=no
case "${1-}" in
    '') ;;
    --check) check=yes ;;
    *) echo "usage: build.sh [--check]" >&2; exit 2 ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
tools=${SHARDWIRE_CAIRO_CACHE:-$work}/contract-compilers
if [ ! -x "$tools/bin/starknet-sierra-compile" ]; then
    echo "fetching the compilers into $tools" >&2
    rm -rf "$tools"
    mkdir -p "$tools/bin" "$tools/corelib"
    inside=starkware/starknet/compiler/v1/sierra-compiler-major-1
    for version in 0.12.3 0.14.0.1; do
        "${PYTHON:-python3}" -m pip download --quiet --no-deps --no-binary :all: "cairo-lang==$version" -d "$work"
        "${PYTHON:-python3}" -m zipfile -e "$work/cairo-lang-$version.zip" "$work"
    done
    cp "$work/cairo-lang-0.12.3/$inside/bin/starknet-compile" "$tools/bin/"
    # The compiler looks for it beside its own folder.
    cp -r "$work/cairo-lang-0.12.3/$inside/corelib/." "$tools/corelib/"
    chmod +x "$tools/bin/starknet-compile"
    cp "$work/cairo-lang-0.14.0.1/$inside/bin/starknet-sierra-compile" "$tools/bin/"
    chmod +x "$tools/bin/starknet-sierra-compile"
fi

# Without what only a debugger reads; compacted: the compilers indent.
compact() {
    "${PYTHON:-python3}" -c '
import json, sys
it = json.load(sys.stdin)
for name in ("sierra_program_debug_info", "pythonic_hints"):
    it.pop(name, None)
json.dump(it, sys.stdout, separators=(",", ":"))
print()
'
}

for source in "$here"/*.cairo "$here"/../sessions/*.cairo; do
    name=$(basename "$source" .cairo)
    beside=$(dirname "$source")
    "$tools/bin/starknet-compile" --single-file "$source" "$work/$name.sierra"
    "$tools/bin/starknet-sierra-compile" "$work/$name.sierra" "$work/$name.casm"
    for form in sierra casm; do
        compact < "$work/$name.$form" > "$work/$name.$form.json"
        if [ "$check" = no ]; then
            cp "$work/$name.$form.json" "$beside/$name.$form.json"
        elif ! cmp "$work/$name.$form.json" "$beside/$name.$form.json"; then
            echo "$name.$form.json is not what $name.cairo compiles to: run node/program/contracts/game/build.sh and commit the result" >&2
            exit 1
        fi
    done
done
