#!/usr/bin/env bash
# Makes src/serve/proto/*_pb.ts from proto/*.proto. Needs network for buf and the plugin, which are used here alone.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/buf.gen.yaml" <<EOF
version: v2
inputs:
  - directory: $PWD/proto
plugins:
  - local: protoc-gen-es
    out: $PWD/src/serve/proto
    opt: [target=ts, import_extension=ts, erasable_syntax=true]
EOF
(cd "$work" && npm install --silent --no-audit --no-fund \
  @bufbuild/buf@1.75.0 @bufbuild/protoc-gen-es@2.13.0 >/dev/null &&
  PATH="$work/node_modules/.bin:$PATH" buf generate)
