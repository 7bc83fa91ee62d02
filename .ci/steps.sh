# The steps of both gates: .ci/run decides whether a change lands, .ci/full is run before an issue is resolved. Each step stands here once; both
# source this page. They run from a fresh clone, on a machine with Rust 1.95, a C compiler and Python 3.
#
# Warm runs find their build in a folder outside the clone: SHARDWIRE_CI_CACHE, or one in the user's cache folder.
#
# Everything heavy is compiled once: for the tests, in the profile dev, with the one feature that the tests may need. What runs afterwards (the
# worker's builder, the simulator, real nodes) are the programs that were built there. The prover worker is the one thing in release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${SHARDWIRE_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shardwire-ci}"
mkdir -p "$cache"
# Property tests draw the same cases each time.
export PROPTEST_RNG_SEED=1
export CARGO_TARGET_DIR="$cache/target" CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
unset SHARDWIRE_STWO_WORKER
programs="$CARGO_TARGET_DIR/debug"
# All packages and this feature in every call, so that dependencies always have the same features and nothing is built twice.
# Bugs that aren't planted cost the simulator a comparison.
all=(--locked --workspace --features testnet/mutations)

now= began=0 skipped=()
from='a kept build'
[ -d "$programs" ] || from=nothing
# A step's seconds stand in the line that begins the next one.
step() {
    if [ -n "$now" ]; then
        printf '\n== %s (%s s since the start; "%s" took %s s)\n' "$*" "$SECONDS" "$now" "$((SECONDS - began))"
    else
        printf '\n== %s\n' "$*"
    fi
    now="$*" began=$SECONDS
}

# What this gate leaves out, and who does it.
skip() {
    printf 'SKIPPED here: %s\n' "$*"
    skipped+=("$*")
}

done_with() {
    step "$1 is through, from $from"
    [ ${#skipped[@]} = 0 ] || printf 'SKIPPED here: %s\n' "${skipped[@]}"
}

# Installs packages of a Debian.
packages() {
    local as_root
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq "$@" >/dev/null
}

format() {
    step "format, and the fuzz targets' versions"
    cargo fmt --all --check
    # A workspace of its own, which .ci/full alone compiles: its lock file falls behind whenever a crate gets another dependency.
    cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
}

lint() {
    step "lint"
    cargo clippy "${all[@]}" --all-targets -- -D warnings
}

cairo_program() {
    step "the compiled shard programs and contracts are what their sources compile to"
    # The Cairo compiler's hash library is built from source against GMP.
    if ! printf '#include <gmp.h>\n' | cc -E - >/dev/null 2>&1; then
        packages libgmp-dev
    fi
    export SHARDWIRE_CAIRO_CACHE="$cache/cairo"
    node/program/build.sh --check
    node/program/contracts/game/build.sh --check
}

# The worker's largest crate keeps one core busy for minutes, so it is built beside the rest.
compile() {
    step "compile the tests, all programs, and the proving worker"
    local log built=0
    log=$(mktemp)
    cargo build "${all[@]}" --quiet --bin build-worker
    # If the worker came from the kept target folder, nothing has prepared this clone yet.
    { "$programs/build-worker" --prepare-only && "$programs/build-worker"; } >"$log" 2>&1 &
    local worker=$!
    cargo test "${all[@]}" --no-run --quiet || built=1
    wait "$worker" || built=1
    [ "$built" = 0 ] || cat "$log"
    rm "$log"
    return "$built"
}

# What README.md calls the first command, in an empty target folder, with every call of the compiler noted: no crate may be compiled twice.
first_command() {
    step "the first command from nothing: it compiles everything once, and settles a shard"
    local fresh twice
    fresh=$(mktemp -d)
    cp .ci/rustc-noted "$fresh/rustc"
    CARGO_TARGET_DIR="$fresh/target" RUSTC_WRAPPER="$fresh/rustc" SHARDWIRE_NOTED="$fresh/noted" \
        cargo run --locked --release -p testnet -- --json | tail -n 1
    twice=$(sort "$fresh/noted" | uniq -d)
    printf 'from nothing to a settled shard: %s s, %s crates compiled\n' "$((SECONDS - began))" "$(wc -l <"$fresh/noted")"
    rm -r "$fresh"
    [ -z "$twice" ] || { printf 'compiled twice:\n%s\n' "$twice"; return 1; }
}

# A workspace of its own: its lints and tests, too. In release, because they then share what was just built.
worker_tests() {
    step "the proving worker's lints and tests"
    (
        cd node/stwo-worker
        export CARGO_TARGET_DIR="$CARGO_TARGET_DIR/stwo-worker"
        cargo fmt --check
        cargo clippy --locked --release --all-targets -- -D warnings
        cargo test --locked --release
    )
}

# Among them one whole run with a real proof, and planted bugs that the simulator must find.
tests() {
    step "tests"
    cargo test "${all[@]}"
}

# A wallets' library that nobody here wrote. It stays outside the clone, in one version; the script says which.
foreign_wallet() {
    step "starknet.js plays whole shards against the door for wallets"
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        packages nodejs npm
    fi
    node/api/live/tests/starknet-js/run.sh "$cache/starknet-js" "${all[@]}"
}

# The simulator's runs from $1 up to $2, in slices, one a core.
seeds() {
    step "seeds $1..$2 of the simulator"
    local logs cores slice
    logs=$(mktemp -d) cores=$(nproc)
    slice=$((($2 - $1 + cores - 1) / cores))
    [ "$slice" -le 50 ] || slice=50
    export programs logs
    # shellcheck disable=SC2016 # expanded by the inner shell
    if ! seq "$1" "$slice" "$(($2 - 1))" | xargs -P "$cores" -I{} bash -c '
        end=$(($1 + $2)); [ "$end" -le "$3" ] || end=$3
        if "$programs/testnet" sim --seeds "$1..$end" --json >"$logs/$1" 2>"$logs/$1.log"; then
            printf "%s..%s %s\n" "$1" "$end" "$(tail -n 1 "$logs/$1")"
        else
            printf "%s..%s FAILED\n" "$1" "$end"; cat "$logs/$1.log" "$logs/$1"; exit 1
        fi' slice {} "$slice" "$2"; then
        return 1
    fi
    rm -r "$logs"
}

# Real nodes, killed all the time. The storm counts only if it was one.
storm() { # MINUTES
    step "real nodes, killed for $1 minutes"
    "$programs/testnet" chaos --minutes "$1" --json | tail -n 1 | python3 -c '
import json, sys
came, minutes = json.load(sys.stdin), int(sys.argv[1])
print(came)
assert came["ok"] and came["kills"] >= 33 * minutes and came["shards_started"] >= 6 * minutes' "$1"
}

# The game of contracts at its full length: wallets, session keys, a real proof.
game_of_contracts() {
    step "the game of contracts at its full length"
    "$programs/testnet" contracts --json | tail -n 1 | python3 -c '
import json, sys
came = json.load(sys.stdin)
came["updates"] = len(came["updates"])
print(came)
assert came["ok"] and came["transactions"] >= 500 and came["inner_failures"] and came["reverted"]
assert 50 <= came["invokes"] < came["session_calls"]'
}
