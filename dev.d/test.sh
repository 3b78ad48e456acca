# ./dev test
# shellcheck shell=bash

# Folders whose code decides: covered to 95 % of lines (docs/decisions/0007-decision-code-is-covered.md).
DECISION_FOLDERS="common/domain agent/evidence agent/state storage"
# Folders that own threads: their unit tests run under ThreadSanitizer.
THREADED_FOLDERS="common/event common/http common/sqlite common/process agent/worker agent/courier agent/artifact
  agent/archiver storage"
# Folders that parse what others send or handle raw memory: their unit tests run under AddressSanitizer in every run.
MEMORY_FOLDERS="common storage control-plane-client agent/artifact agent/wal"
FUZZ_SECONDS=${FUZZ_SECONDS:-10} # per target

# Three at once, also on two cores: many wait for servers, clocks and injected stalls.
run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "$ROOT/build/$preset" --output-on-failure --no-tests=error -j3 "$@"
}

# What the machine's owner set for other programs must not lead the tests to other servers.
clean_environment() {
  local name
  for name in $(compgen -e); do
    case $name in
      AWS_* | PG* | SSL_CERT_* | CURL_CA_BUNDLE | REQUESTS_CA_BUNDLE | NOTIFY_SOCKET) unset "$name" ;;
      http_proxy | https_proxy | all_proxy | HTTP_PROXY | HTTPS_PROXY | ALL_PROXY) unset "$name" ;;
    esac
  done
  export LSAN_OPTIONS=suppressions=$ROOT/tests/tools/lsan.supp:print_suppressions=0
  export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
}

# test_targets FOLDER...: the test binaries that belong to these folders of the source.
test_targets() {
  local folder list=()
  for folder in "$@"; do
    list+=("$ROOT/tests/unit/$folder" "$ROOT/tests/unit/${folder//-/_}")
    [ "$folder" != common/http ] || list+=("$ROOT/tests/unit/common/http_client" "$ROOT/tests/unit/common/http_server")
    [ "$folder" != storage ] || list+=("$ROOT/tests/contract")
  done
  { find "${list[@]}" -name CMakeLists.txt -exec grep -hoE '^ *backstay_test\(\w+' {} + 2>/dev/null || true; } |
    sed 's/.*(//' | sort -u
}

# test_some PRESET FOLDER...: builds and runs only the tests of these folders.
test_some() {
  local preset=$1 targets
  shift
  targets=$(test_targets "$@")
  [ -n "$targets" ] || die "no tests in: $*"
  # shellcheck disable=SC2086 # a list of words
  cmd_build "$preset" $targets
  # shellcheck disable=SC2086
  run_ctest "$preset" -R "^($(echo $targets | tr ' ' '|'))\$"
}

test_build() { cmd_build dev; }

test_unit() { run_ctest dev "$@"; }

# run_pytest [COMMAND...] -- ARGS...: three at once, each file's tests in one process: most of the time they wait for
# servers to start and for clocks.
run_pytest() {
  local before=()
  while [ "$1" != -- ]; do before+=("$1") && shift; done
  shift
  cd "$ROOT"
  BACKSTAY_PRESET=${BACKSTAY_PRESET:-dev} "${before[@]}" "$PYTHON" -m pytest -q -p no:cacheprovider -n 3 --dist loadfile \
    --durations=10 "$@"
}

test_system() { run_pytest -- "${@:-tests/system}"; }

# What the store decides, through the real programs, once more on PostgreSQL (unit tests run on both by themselves).
test_postgres() {
  [ $# -gt 0 ] || set -- tests/system/test_{contract_backups,contract_registry,contract_schedules,isolation,leases}.py
  run_pytest "$ROOT/tests/tools/with-postgres" -- "$@"
}

# Tests that measure memory would measure the sanitizer's.
WITHOUT_FIGURES='-S3Memory.*:SftpMemory.*'

# What the last stages test, built while the system tests wait for servers and clocks: the build gets processor time
# that nobody else wants (SCHED_IDLE), so that it makes no test slower. Its failures are told by those stages.
begin_idle_builds() {
  (
    chrt --idle --pid 0 "$BASHPID" || renice -n 19 -p "$BASHPID"
    # shellcheck disable=SC2046,SC2086 # lists of words
    {
      cmd_build asan $(test_targets $MEMORY_FOLDERS)
      cmd_build tsan $(test_targets $THREADED_FOLDERS)
      cmd_build fuzz $(fuzz_targets)
    }
  ) >"$ROOT/build/test/idle-builds.log" 2>&1 &
  IDLE_BUILDS=$!
}

await_idle_builds() { wait "$IDLE_BUILDS" || say "a build failed; see build/test/idle-builds.log"; }

# test_asan [all]
test_asan() {
  export GTEST_FILTER=$WITHOUT_FIGURES
  if [ "${1:-}" = all ]; then
    cmd_build asan
    run_ctest asan -L 'unit|contract'
  else
    # shellcheck disable=SC2086 # a list of words
    test_some asan $MEMORY_FOLDERS
  fi
}

test_tsan() {
  export GTEST_FILTER=$WITHOUT_FIGURES
  # shellcheck disable=SC2086 # a list of words
  test_some tsan $THREADED_FOLDERS
}

test_coverage() {
  local filters=() folder
  for folder in $DECISION_FOLDERS; do filters+=(--filter "$folder/"); done
  find "$ROOT/build/coverage" -name '*.gcda' -delete 2>/dev/null || true
  # shellcheck disable=SC2086
  test_some coverage $DECISION_FOLDERS
  mkdir -p "$ROOT/build/coverage/report"
  (cd "$ROOT" && gcovr --root . --object-directory build/coverage "${filters[@]}" --exclude-throw-branches \
    --gcov-ignore-errors=no_working_dir_found --html-details build/coverage/report/index.html --fail-under-line 95 --txt)
}

fuzz_targets() {
  { grep -rhoE '^ *backstay_fuzzer\(\w+' "$ROOT/tests" --include=CMakeLists.txt || true; } | sed 's/.*(//' | sort -u
}

test_fuzz() {
  local target names corpus seeds
  names=$(fuzz_targets)
  if [ -z "$names" ]; then
    say "no fuzz target is in the tree"
    return
  fi
  # shellcheck disable=SC2086 # a list of words
  cmd_build fuzz $names
  for target in $names; do
    corpus=$ROOT/build/fuzz/corpus/$target
    seeds=$ROOT/tests/fuzz/corpus/$target
    mkdir -p "$corpus"
    say "fuzz $target for ${FUZZ_SECONDS}s"
    (cd "$corpus" && "$ROOT/build/fuzz/fuzz/$target" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 \
      -verbosity=0 -print_final_stats=1 . $([ ! -d "$seeds" ] || echo "$seeds")) 2>&1 | grep -vE '^INFO|^$'
  done
}

test_lint() { cmd_lint; }

# stage NAME...: runs one kind of tests, shows and keeps what it prints, and remembers how it ended.
stage() {
  local name=$1 began=$SECONDS ended
  shift
  say "=== $name"
  set +e
  (
    set -e
    "test_$name" "$@"
  ) 2>&1 | tee "$ROOT/build/test/$name.log"
  ended=${PIPESTATUS[0]}
  set -e
  [ "$ended" = 0 ] || FAILED_STAGES+=("$name")
  SUMMARY+=("$(printf '%-10s %-6s %4ds' "$name" "$([ "$ended" = 0 ] && echo ok || echo FAILED)" $((SECONDS - began)))")
  return 0
}

# The tests that failed in a stage, by what ctest, pytest and ./dev print: the reader of a long log looks at its end.
failed_tests() {
  local log=$ROOT/build/test/$1.log names
  names=$(sed -nE '/^The following tests FAILED:/,/^Errors while/{s/^[[:space:]]+[0-9]+ - //p}; /^(FAILED|ERROR) /{s/ - .*//; p}' "$log")
  # No test, but a compiler or a checker.
  [ -n "$names" ] || names=$(sed -nE '/(^|[: ])error: /p' "$log")
  sed -n 1,30p <<<"$names" | cut -c1-200
}

cmd_test() {
  local what=${1:-all} line SUMMARY=() FAILED_STAGES=()
  [ $# -eq 0 ] || shift
  clean_environment
  mkdir -p "$ROOT/build/test"
  case $what in
    all)
      stage build
      # What does not build cannot be tested; the other presets would only say the same again.
      if [ ${#FAILED_STAGES[@]} = 0 ]; then
        stage unit
        begin_idle_builds
        for what in system postgres lint; do stage "$what"; done
        await_idle_builds
        for what in asan tsan fuzz; do stage "$what"; done
      fi
      ;;
    unit | system | postgres)
      stage build
      [ ${#FAILED_STAGES[@]} -gt 0 ] || stage "$what" "$@"
      ;;
    contract | architecture)
      stage build
      [ ${#FAILED_STAGES[@]} -gt 0 ] || stage unit -L "$what" "$@"
      ;;
    lint | asan | tsan | coverage | fuzz | package) stage "$what" "$@" ;;
    *) die "no such kind of test: $what" ;;
  esac
  say "--- summary"
  for line in "${SUMMARY[@]}"; do say "$line"; done
  for what in "${FAILED_STAGES[@]}"; do
    failed_tests "$what" | while read -r line; do say "$what: $line"; done
  done
  [ ${#FAILED_STAGES[@]} = 0 ] || die "failed: ${FAILED_STAGES[*]} (see build/test/)"
  say "all tests passed"
}
