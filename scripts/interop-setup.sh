#!/usr/bin/env bash
# Makes a Python environment with the real clients, for test/e2e/serve-interop.test.ts:
#
#     scripts/interop-setup.sh [FOLDER]        (~/.cache/nn2fpga/interop)
#
# Prints what it has made. Fails where PyPI is out of reach; the tests then say that they are skipped.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/nn2fpga/interop}
tritonclient=2.73.0
perf_analyzer=2.60.0

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
if [ ! -x "$folder/bin/python" ]; then python3 -m venv "$folder"; fi
pip=("$folder/bin/python" -m pip --disable-pip-version-check --quiet)
if ! "$folder/bin/python" -c 'import tritonclient.grpc, tritonclient.http, grpc_tools' 2>/dev/null; then
  "${pip[@]}" install "tritonclient[grpc,http]==$tritonclient" grpcio-tools
fi
echo "python $folder/bin/python"

# The wheel is for glibc 2.38 and later. Where the machine is older, it is fetched all the same and given
# the few functions that it lacks (see the script).
run="$folder/bin/run-perf-analyzer"
if [ ! -x "$run" ]; then
  rm -rf "$folder/perf"
  mkdir -p "$folder/perf"
  "${pip[@]}" download --no-deps --only-binary=:all: --platform "manylinux_2_38_$(uname -m)" \
    --dest "$folder/perf" "perf-analyzer==$perf_analyzer"
  "$folder/bin/python" -m zipfile -e "$folder"/perf/*.whl "$folder/perf"
  chmod +x "$folder/perf/perf_analyzer/bin/perf_analyzer"
  "$folder/bin/python" "$here/interop-old-libc.py" "$folder/perf/perf_analyzer/bin/perf_analyzer" "$run"
fi
echo "perf_analyzer $run"
