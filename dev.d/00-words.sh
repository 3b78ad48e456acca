# Words that the other parts share.
# shellcheck shell=bash

PYTHON=/usr/bin/python3 # Debian's: it sees Debian's psycopg2, boto3 and pytest
SHARED_DATA=$ROOT/../shared/data/odoo17-small

say() { printf 'dev: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# bin_of PRESET: the folder of the programs of one build.
bin_of() { echo "$ROOT/build/$1/bin"; }

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || {
      say "waited ${seconds}s for $what"
      return 1
    }
    sleep 0.05
  done
}

# field KEY: the value of a member of the JSON object on stdin, at the top or in the first element of a list.
field() {
  "$PYTHON" -c '
import json, sys
found = json.load(sys.stdin)
while not (isinstance(found, dict) and sys.argv[1] in found):
    inner = found if isinstance(found, list) else [v for v in found.values() if isinstance(v, (list, dict))]
    if not inner:
        sys.exit("no " + sys.argv[1] + " in the answer")
    found = inner[0]
print(found[sys.argv[1]])' "$1"
}
