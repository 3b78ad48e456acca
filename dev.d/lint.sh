# ./dev lint
# shellcheck shell=bash

run_architecture() {
  local check failed=0
  for check in "$ROOT"/tests/architecture/check_*.py; do
    printf '%s: ' "$(basename "$check" .py)"
    "$PYTHON" "$check" --self-test && "$PYTHON" "$check" || failed=1
  done
  return "$failed"
}

cmd_lint() {
  cd "$ROOT"
  git ls-files '*.cpp' '*.h' | xargs -r clang-format --dry-run -Werror
  echo "format: holds"
  run_architecture
  if [ "${1:-}" = tidy ]; then
    # Clang's own precompiled header and commands; GCC's are foreign to it.
    cmd_build clang backstay_pch
    git ls-files 'agent/*.cpp' 'common/*.cpp' 'control-plane/*.cpp' 'control-plane-client/*.cpp' 'storage/*.cpp' |
      xargs -r -P2 -n4 clang-tidy -quiet -p build/clang
  fi
}
