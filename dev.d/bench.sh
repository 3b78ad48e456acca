# ./dev bench
# shellcheck shell=bash

# A benchmark is a file of tests/bench that takes --bin; the others there are its parts.
benchmarks() { grep -lE '"--bin"|options\.parser\(\)' "$ROOT"/tests/bench/*.py | grep -v /options.py | xargs -rn1 basename -s .py | sort; }

cmd_bench() {
  local name=${1:-}
  if [ -z "$name" ]; then
    benchmarks
    return
  fi
  shift
  benchmarks | grep -qxF -- "$name" || die "no benchmark called $name; there are:" $(benchmarks)
  [ "$name" != control-plane ] || cmd_setup wrk >&2
  [ "$name" != migrate-store ] || cmd_setup pgloader >&2
  cmd_build release backstay-agent backstay backstay-control jobs-tool retention-tool load-tool >&2
  exec "$PYTHON" "$ROOT/tests/bench/$name.py" --bin "$(bin_of release)" "$@"
}
