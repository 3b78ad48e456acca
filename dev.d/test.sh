# ./dev test
# shellcheck shell=bash

# Folders whose code decides: covered to 95 % of lines (docs/decisions/0007-decision-code-is-covered.md).
DECISION_FOLDERS="common/domain agent/evidence agent/state storage"
# Folders that own threads: their unit tests run under ThreadSanitizer.
THREADED_FOLDERS="common/event common/http common/sqlite agent/worker agent/courier agent/artifact agent/postgres storage"
FUZZ_SECONDS=${FUZZ_SECONDS:-20} # per target

run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "$ROOT/build/$preset" --output-on-failure --no-tests=error -j2 "$@"
}

# test_targets FOLDER...: the test binaries that belong to these folders of the source.
test_targets() {
  local folder list=()
  for folder in "$@"; do
    list+=("$ROOT/tests/unit/$folder")
    [ "$folder" != storage ] || list+=("$ROOT/tests/contract")
  done
  find "${list[@]}" -name CMakeLists.txt -exec grep -hoE '^ *backstay_test\(\w+' {} + 2>/dev/null | sed 's/.*(//' | sort -u
}

run_pytest() {
  cd "$ROOT"
  BACKSTAY_PRESET=${BACKSTAY_PRESET:-dev} "$PYTHON" -m pytest -q -p no:cacheprovider --durations=5 "$@"
}

test_system() {
  if [ $# -gt 0 ]; then run_pytest "$@"; else run_pytest tests/system; fi
}

# test_some PRESET FOLDER...: builds and runs only the tests of these folders.
test_some() {
  local preset=$1 targets
  shift
  targets=$(test_targets "$@")
  [ -n "$targets" ] || die "no tests in: $*"
  # shellcheck disable=SC2086 # a list of words
  cmd_build "$preset" $targets
  run_ctest "$preset" -R "^($(echo $targets | tr ' ' '|'))\$"
}

test_asan() {
  export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  cmd_build asan
  run_ctest asan -L 'unit|contract'
  # One whole backup and restore with the instrumented programs.
  BACKSTAY_PRESET=asan test_system tests/system -m scenario
}

test_coverage() {
  local filters=() folder
  for folder in $DECISION_FOLDERS; do filters+=(--filter "$folder/"); done
  # shellcheck disable=SC2086
  test_some coverage $DECISION_FOLDERS
  mkdir -p "$ROOT/build/coverage/report"
  (cd "$ROOT" && gcovr --root . --object-directory build/coverage "${filters[@]}" --exclude-throw-branches \
    --html-details build/coverage/report/index.html --fail-under-line 95 --print-summary)
}

test_fuzz() {
  local target corpus
  cmd_build fuzz
  for target in "$ROOT"/build/fuzz/fuzz/*; do
    [ -x "$target" ] || die "no fuzz targets were built"
    corpus=$ROOT/build/fuzz/corpus/$(basename "$target")
    mkdir -p "$corpus"
    say "fuzz $(basename "$target") for ${FUZZ_SECONDS}s"
    "$target" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
      "$corpus" $(find "$ROOT/tests/fuzz/corpus/$(basename "$target")" -maxdepth 0 2>/dev/null)
  done
}

cmd_test() {
  local what=${1:-all}
  [ $# -eq 0 ] || shift
  case $what in
    all)
      cmd_build dev
      run_ctest dev
      test_system
      ;;
    unit | contract)
      cmd_build dev
      run_ctest dev -L "$what" "$@"
      ;;
    architecture) run_architecture ;;
    system)
      cmd_build dev
      test_system "$@"
      ;;
    asan) test_asan ;;
    # shellcheck disable=SC2086
    tsan) test_some tsan $THREADED_FOLDERS ;;
    coverage) test_coverage ;;
    fuzz) test_fuzz ;;
    *) die "no such kind of test: $what" ;;
  esac
}
