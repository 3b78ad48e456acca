# ./dev up, ./dev down, ./dev demo
# shellcheck shell=bash

cmd_up() {
  local preset=dev previous= word
  for word in "$@"; do
    [ "$previous" != --preset ] || preset=$word
    previous=$word
  done
  cmd_build "$preset" backstay-agent backstay backstay-control >&2
  exec "$PYTHON" "$ROOT/tests/tools/labs.py" up "$@"
}

cmd_down() { exec "$PYTHON" "$ROOT/tests/tools/labs.py" down "$@"; }

cmd_demo() {
  cmd_setup
  say "demo: building (a few minutes the first time)"
  cmd_build dev backstay-agent backstay backstay-control >&2
  exec "$PYTHON" "$ROOT/tests/tools/demo.py" "$@"
}
