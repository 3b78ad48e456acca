# ./dev build
# shellcheck shell=bash

# cmd_build [PRESET] [TARGET...]
cmd_build() {
  local preset=${1:-dev}
  [ $# -eq 0 ] || shift
  cd "$ROOT"
  [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >"$(build_log "$preset")" || {
    cat "$(build_log "$preset")"
    die "cmake --preset $preset failed"
  }
  cmake --build "build/$preset" ${1:+--target "$@"}
}

build_log() {
  mkdir -p "$ROOT/build"
  echo "$ROOT/build/configure-$1.log"
}
