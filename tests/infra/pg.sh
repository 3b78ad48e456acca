#!/usr/bin/env bash
# A private PostgreSQL on a Unix socket, for tests and labs. Nothing else of the machine is touched.
#
#   pg.sh up                 make (first time) and start it; prints KEY=VALUE lines
#   pg.sh down               stop it and delete BASE
#   pg.sh stop | start | crash    clean stop, start again, SIGQUIT (the next start recovers)
#   pg.sh env | psql ARGS... | run COMMAND...    (run: with PGHOST, PGPORT, PGUSER set)
#
# Environment:
#   BASE     its folder (needed). The socket is BASE/s/.s.PGSQL.PORT; a socket path has 107 bytes at most
#   SOCKETS  folder of the socket instead of BASE/s, for a BASE whose name is too long
#   PORT     number of the socket, 5433 if not given: sockets of different BASEs never meet
#   TCP      1: also listens on 127.0.0.1:PORT, password `test` (then PORT must be free)
#   DURABLE  1: fsync and its kin stay on (default: off, a test needs no power cut)
#   EXTRA    further lines of postgresql.conf
#   SEGMENTS_MB  size of a WAL segment, 16 if not given
#   CACHE    folder that keeps an initialised template: the next `up` copies it (default: build/pg-template)
#   RUN_AS   as root: the user to run as, because PostgreSQL refuses root (default postgres, else nobody)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BASE=${BASE:?the folder of the cluster}
PORT=${PORT:-5433} TCP=${TCP:-0} DURABLE=${DURABLE:-0}
CACHE=${CACHE:-$here/../../build/pg-template}
SEGMENTS_MB=${SEGMENTS_MB:-16}
BIN=${PGBIN:-$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -1)}
DATA=$BASE/data
SOCKETS=${SOCKETS:-$BASE/s}

die() {
  echo "pg.sh: $*" >&2
  exit 1
}

if [ "$(id -u)" = 0 ]; then
  [ ! -d "$DATA" ] || RUN_AS=$(stat -c %U "$DATA")
  RUN_AS=${RUN_AS:-$(id -un postgres 2>/dev/null || echo nobody)}
  as() { setpriv --reuid "$RUN_AS" --regid "$(id -g "$RUN_AS")" --clear-groups --inh-caps=-all env HOME="$BASE" "$@"; }
  own() { chown -R "$RUN_AS:$(id -gn "$RUN_AS")" "$@"; }
else
  as() { "$@"; }
  own() { :; }
fi

postmaster() { head -1 "$DATA/postmaster.pid" 2>/dev/null || true; }
alive() {
  local pid
  pid=$(postmaster)
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

print_env() {
  printf '%s\n' "PGHOST=$SOCKETS" "PGPORT=$PORT" PGUSER=postgres "PGDATA=$DATA" "PGBIN=$BIN" "PG_PID=$(postmaster)"
}

initdb() {
  as "$BIN/initdb" -D "$1" --no-sync -k -U postgres -E UTF8 --locale=C.UTF-8 --auth-local=trust \
    --auth-host=scram-sha-256 --wal-segsize="$SEGMENTS_MB" --pwfile="$BASE/password" >"$BASE/initdb.log" 2>&1 ||
    { cat "$BASE/initdb.log" >&2 && die "initdb failed"; }
}

make_data() {
  local template
  template=$CACHE/$("$BIN/postgres" --version | grep -o '[0-9.]\+' | head -1)-$SEGMENTS_MB.tar
  install -m 700 -d "$DATA"
  echo test >"$BASE/password"
  own "$DATA" "$BASE/password"
  if [ -f "$template" ]; then
    tar -xf "$template" -C "$DATA"
    own "$DATA"
  else
    initdb "$DATA"
    mkdir -p "$CACHE" && tar -cf "$template.$$" -C "$DATA" . && mv "$template.$$" "$template"
  fi
  rm "$BASE/password"
}

configure() {
  cat <<CONF
unix_socket_directories = '$SOCKETS'
port = $PORT
listen_addresses = '$([ "$TCP" = 1 ] && echo 127.0.0.1)'
shared_buffers = 32MB
min_wal_size = 32MB
log_line_prefix = '%m [%p] '
CONF
  [ "$DURABLE" = 1 ] || printf '%s\n' "fsync = off" "synchronous_commit = off" "full_page_writes = off"
  [ -z "${EXTRA:-}" ] || printf '%s\n' "$EXTRA"
}

make_cluster() {
  [ -n "$BIN" ] || die "PostgreSQL is not installed: ./dev setup"
  mkdir -p "$BASE" "$SOCKETS"
  chmod 755 "$BASE" "$SOCKETS"
  : >"$BASE/log"
  own "$SOCKETS" "$BASE/log"
  make_data
  configure >>"$DATA/postgresql.conf"
}

start() {
  alive || as "$BIN/pg_ctl" -D "$DATA" -l "$BASE/log" -w -t 60 -s start </dev/null ||
    { tail -5 "$BASE/log" >&2 && die "PostgreSQL does not start"; }
}

stop() { ! alive || as "$BIN/pg_ctl" -D "$DATA" -m "$1" -w -s stop; }

case ${1:-} in
  up)
    [ -d "$DATA" ] || make_cluster
    start
    print_env
    ;;
  start) start && print_env ;;
  stop) stop fast ;;
  crash) stop immediate ;;
  down) stop immediate && rm -rf "$BASE" "$SOCKETS" ;;
  env) print_env ;;
  psql) shift && exec "$BIN/psql" -X -h "$SOCKETS" -p "$PORT" -U postgres "$@" ;;
  run) shift && PGHOST=$SOCKETS PGPORT=$PORT PGUSER=postgres exec "$@" ;;
  *) sed -n '2,18p' "$0" && exit 2 ;;
esac
