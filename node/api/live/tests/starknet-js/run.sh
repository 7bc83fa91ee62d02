#!/usr/bin/env bash
# starknet.js plays a whole shard against the door. The package is installed into a folder outside the clone ($1, or the user's cache), once; what follows
# goes to cargo test.
set -euo pipefail
folder="${1:-${XDG_CACHE_HOME:-$HOME/.cache}/shardwire-starknet-js}"
shift || true
version=10.8.0
command -v node >/dev/null && command -v npm >/dev/null || { echo "Node.js and npm are needed; install them and try again" >&2; exit 1; }
mkdir -p "$folder"
if [ "$(cat "$folder/installed" 2>/dev/null)" != "$version" ]; then
    npm install --prefix "$folder" --no-save --no-audit --no-fund --no-package-lock --ignore-scripts --loglevel=error "starknet@$version"
    echo "$version" >"$folder/installed"
fi
cd "$(dirname "$0")/../../../../.."
SHARDWIRE_STARKNET_JS="$folder" cargo test "${@:---package=shardwire-live}" --test door starknet_js -- --ignored
