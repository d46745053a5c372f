#!/usr/bin/env bash
# Sets up what is missing to build, run and test nn2fpga: npm packages, the compiled program, the free
# hardware tools, and what tests of the server need. Does nothing, quickly, where all is there. Works without
# a terminal.
#
#   N2F_NO_APT=1   installs no system packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

say() { printf 'setup: %s\n' "$*"; }

has() { command -v "$1" >/dev/null 2>&1; }

check_node() {
  if ! has node || ! has npm; then
    say "Node.js 20 or newer is needed, with npm. See https://nodejs.org, or: apt-get install nodejs npm" >&2
    exit 2
  fi
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$major" -lt 20 ]; then
    say "Node.js 20 or newer is needed; this is $(node --version) at $(command -v node). See https://nodejs.org" >&2
    exit 2
  fi
}

# --- npm packages -------------------------------------------------------------------------------------

# Without these two, onnxruntime-node would fetch hundreds of megabytes for graphics cards.
export ONNXRUNTIME_NODE_INSTALL=skip ONNXRUNTIME_NODE_INSTALL_CUDA=skip

packages_are_current() {
  local done=node_modules/.package-lock.json
  [ -f "$done" ] && ! [ package-lock.json -nt "$done" ]
}

# TypeScript and the test runner have their programs for this machine in optional packages too, so leaving
# out all optional packages would break them: only onnxruntime-node is taken out of the list.
install_without_onnxruntime() {
  local work
  work=$(mktemp -d)
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const [work] = process.argv.slice(1);
    const pack = JSON.parse(readFileSync("package.json", "utf8"));
    const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
    for (const root of [pack, lock.packages[""]]) delete root.optionalDependencies?.["onnxruntime-node"];
    delete lock.packages["node_modules/onnxruntime-node"];
    writeFileSync(`${work}/package.json`, JSON.stringify(pack));
    writeFileSync(`${work}/package-lock.json`, JSON.stringify(lock));
  ' "$work"
  cp .npmrc "$work/" 2>/dev/null || true
  if (cd "$work" && try_npm install --no-save --ignore-scripts); then
    rm -rf node_modules
    mv "$work/node_modules" node_modules
    touch node_modules/.package-lock.json
    rm -rf "$work"
    return 0
  fi
  rm -rf "$work"
  return 1
}

# Runs npm quietly; what it said is shown only where it fails for good.
try_npm() {
  npm "$@" --no-progress --loglevel=error </dev/null >"$log" 2>&1
}

install_packages() {
  if packages_are_current; then return; fi
  say "installing npm packages (a minute or two; about 600 MB on disk)"
  # The build comes below: `prepare` need not make it twice.
  export N2F_SKIP_PREPARE=1
  if try_npm ci; then return; fi
  say "npm ci failed; trying npm install, which needs no complete lock file"
  if try_npm install --no-save; then touch node_modules/.package-lock.json && return; fi
  say "npm install failed; trying without the install scripts of packages"
  if try_npm install --no-save --ignore-scripts; then touch node_modules/.package-lock.json && return; fi
  say "npm install failed again; trying without onnxruntime-node, which is optional"
  if install_without_onnxruntime; then
    say "onnxruntime-node is left out: the float reference is nn2fpga's own evaluation"
    return
  fi
  cat "$log" >&2
  say "the npm packages cannot be installed; npm's messages are above" >&2
  exit 2
}

# --- the program --------------------------------------------------------------------------------------

build_is_current() {
  local built=dist/cli/main.js
  [ -f "$built" ] && [ -z "$(find src tsconfig.json tsconfig.build.json -newer "$built" -print -quit)" ]
}

build_program() {
  if build_is_current; then return; fi
  say "building dist/ from src/"
  if ! npm run --silent build >"$log" 2>&1; then
    # Without the optional package its types are missing too; the program is written all the same.
    if [ -d node_modules/onnxruntime-node ] || ! [ -f dist/cli/main.js ]; then
      cat "$log" >&2
      say "dist/ cannot be built; the compiler's messages are above" >&2
      exit 2
    fi
  fi
  # The compiler leaves files alone whose text is the same.
  touch dist/cli/main.js
}

# --- hardware tools -----------------------------------------------------------------------------------

apt_runner() {
  if [ -n "${N2F_NO_APT:-}" ]; then return 1; fi
  if ! has apt-get; then return 1; fi
  if [ "$(id -u)" -eq 0 ]; then
    echo "env"
  elif has sudo && sudo -n true 2>/dev/null; then
    echo "sudo -n env"
  else
    return 1
  fi
}

apt_install() {
  # shellcheck disable=SC2086 # two words where it is sudo
  $1 DEBIAN_FRONTEND=noninteractive timeout 900 apt-get \
    -qq -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 \
    "${@:2}" </dev/null >/dev/null
}

# Debian starts the services that it installs, unless this file says no. HAProxy and nginx are for tests alone.
rc_policy=/usr/sbin/policy-rc.d

forbid_services() {
  if [ -e "$rc_policy" ]; then return 1; fi
  # shellcheck disable=SC2086,SC2016
  $1 sh -c 'printf "#!/bin/sh\nexit 101\n" >"$0" && chmod 755 "$0"' "$rc_policy"
}

install_tools() {
  local missing=() runner tool is_forbidden=""
  # h2load, of nghttp2-client, puts load on servers.
  for tool in verilator g++ iverilog haproxy nginx h2load; do
    if ! has "$tool"; then missing+=("${tool/h2load/nghttp2-client}"); fi
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  # What could not be had is tried again a day later.
  local tried=node_modules/.nn2fpga-apt-tried
  if [ -n "$(find "$tried" -mtime -1 2>/dev/null)" ]; then
    say "apt-get could not install ${missing[*]} before; delete $tried to try again"
  elif runner=$(apt_runner); then
    say "installing with apt-get: ${missing[*]} (a few minutes at most; N2F_NO_APT=1 skips this)"
    apt_install "$runner" update || say "apt-get update failed; going on with the lists that are there"
    if forbid_services "$runner"; then is_forbidden=1; fi
    if ! apt_install "$runner" install --no-install-recommends "${missing[@]}"; then
      for tool in "${missing[@]}"; do
        apt_install "$runner" install --no-install-recommends "$tool" || say "apt-get could not install $tool"
      done
    fi
    # shellcheck disable=SC2086
    if [ -n "$is_forbidden" ]; then $runner rm -f "$rc_policy"; fi
    hash -r
    touch "$tried"
  elif [ -n "${N2F_NO_APT:-}" ]; then
    say "no system packages are installed, as N2F_NO_APT says"
  else
    say "system packages cannot be installed here (no apt-get, or neither root nor sudo without a password)"
  fi
  if ! has verilator || ! has g++; then
    say "SKIPPED: Verilator (with g++). The Verilog is not simulated; the embedded emulator is used instead."
  fi
  if ! has iverilog; then
    say "SKIPPED: Icarus Verilog. There is no second simulator's opinion on the Verilog."
  fi
  if ! has haproxy || ! has nginx || ! has h2load; then
    say "SKIPPED: HAProxy, nginx or h2load. Tests of servers behind load balancers, or of their costs, are left out."
  fi
}

check_node
install_packages
if ! [ -d node_modules/onnxruntime-node ]; then
  say "SKIPPED: onnxruntime-node. The float reference is nn2fpga's own evaluation."
fi
build_program
install_tools
