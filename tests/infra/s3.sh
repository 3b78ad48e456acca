#!/usr/bin/env bash
# A private S3 server on loopback: Ceph's RADOS gateway with one monitor and one OSD, without systemd, as the calling
# user, its data in memory. Ready in about a second; any number side by side, on ports that are free.
#
#   s3.sh run DIR             start, print KEY=VALUE lines and then "ready"; ends and cleans up when stdin is closed
#   s3.sh up DIR              start and return; prints the KEY=VALUE lines (also in DIR/s3.env)
#   s3.sh down DIR            stop exactly that server and remove DIR
#   s3.sh quota DIR BYTES     limit the user: a PUT beyond it gets 403 QuotaExceeded
#   s3.sh pause|resume DIR    freeze the gateway: a server that hangs instead of failing
#
# The lines: S3_ENDPOINT, S3_ENDPOINT_TLS (https, also *.s3.localhost for buckets in host names), S3_CA, S3_ACCESS_KEY,
# S3_SECRET_KEY, S3_REGION. No ceph-mgr (400 MB, and nothing here needs it); no cephx, as all of it listens on loopback.
set -euo pipefail

ACCESS=BACKSTAYTESTACCESS01
SECRET=backstay/test+secret/0000000000000000001

say() { echo "s3.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# Four ports in a row for http, https, the monitor's two, and twenty for the OSD, below the range of outgoing ports.
free_ports() {
  python3 - <<'P'
import random, socket, sys
for _ in range(200):
    base = random.randrange(15000, 32000, 25)
    held = []
    try:
        for port in range(base, base + 24):
            s = socket.socket()
            held.append(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
        print(base)
        sys.exit(0)
    except OSError:
        pass
    finally:
        for s in held:
            s.close()
sys.exit("no free ports")
P
}

pid_of() { cat "$DIR/run/$1.pid" 2>/dev/null || true; }
# The pid file may be older than the process that has the number now.
ours() { [ -n "${1:-}" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$DIR"; }

# A zombie that nobody has waited for yet does not run.
runs() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

make_certificate() {
  mkdir -p "$DIR/tls"
  (
    cd "$DIR/tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=backstay test CA" \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=localhost" -keyout s.key -out s.csr
    printf 'subjectAltName=DNS:localhost,DNS:s3.localhost,DNS:*.s3.localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >ext
    openssl x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out s.pem
    cat s.pem s.key >both.pem
  ) >"$DIR/log/openssl.log" 2>&1
}

write_conf() { # fsid, first port
  cat >"$DIR/ceph.conf" <<C
[global]
fsid = $1
mon host = [v2:127.0.0.1:$(($2 + 2))/0]
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr1 = false
ms bind ipv4 = true
ms bind port min = $(($2 + 4))
ms bind port max = $(($2 + 23))
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = $DIR/run
admin socket = $DIR/run/\$name.asok
log file = $DIR/log/\$name.log
crash dir = $DIR/crash
max open files = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
# The monitor refuses to work on a disk that is nearly full; a test machine's may be.
mon data avail crit = 0
mon data avail warn = 0
mon data = $DIR/mon
paxos propose interval = 0.02
paxos min wait = 0.01
osd data = $DIR/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd max object name len = 2048
[client.rgw]
rgw data = $DIR/rgw
rgw frontends = beast endpoint=127.0.0.1:$2 ssl_endpoint=127.0.0.1:$(($2 + 1)) ssl_certificate=$DIR/tls/both.pem
rgw dns name = s3.localhost
ms mon client mode = crc secure
rgw thread pool size = 32
rgw enable usage log = false
rgw enable ops log = false
rgw enable apis = s3, admin
rgw run sync thread = false
C
}

admin() { timeout 60 radosgw-admin -n client.rgw --log-file "$DIR/log/admin.log" "$@"; }

start_once() {
  local fsid osd port tries=400
  mkdir -p "$DIR"/{run,log,crash,rgw,osd,mon}
  port=$(free_ports)
  fsid=$(uuidgen); osd=$(uuidgen)
  export CEPH_CONF=$DIR/ceph.conf
  write_conf "$fsid" "$port"
  [ -f "$DIR/tls/both.pem" ] || make_certificate
  {
    # Maps made without a running cluster save several calls.
    monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$((port + 2))/0]" --set-min-mon-release 16 \
      --enable-all-features "$DIR/monmap" &&
      osdmaptool --createsimple 1 "$DIR/osdmap" --clobber -c "$CEPH_CONF" &&
      ceph-mon --mkfs -i a --monmap "$DIR/monmap" --osdmap "$DIR/osdmap" &&
      ceph-mon -i a --pid-file "$DIR/run/mon.a.pid" &&
      timeout 30 ceph osd new "$osd" &&
      ceph-osd -i 0 --mkfs --osd-uuid "$osd" &&
      ceph-osd -i 0 --pid-file "$DIR/run/osd.0.pid" &&
      radosgw -n client.rgw --pid-file "$DIR/run/rgw.pid"
  } >>"$DIR/log/start.log" 2>&1 || return 1
  until curl -s -o "$DIR/log/ready" "http://127.0.0.1:$port/" && grep -q ListAllMyBuckets "$DIR/log/ready"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    # It has gone when another program was faster with the port.
    [ $tries -gt 380 ] || kill -0 "$(pid_of rgw)" 2>/dev/null || return 1
    sleep 0.05
  done
  admin user create --uid=tester --display-name=tester --access-key="$ACCESS" --secret-key="$SECRET" \
    >"$DIR/log/user" 2>&1 || return 1
  cat >"$DIR/s3.env" <<V
S3_ENDPOINT=http://s3.localhost:$port
S3_ENDPOINT_TLS=https://s3.localhost:$((port + 1))
S3_CA=$DIR/tls/ca.pem
S3_ACCESS_KEY=$ACCESS
S3_SECRET_KEY=$SECRET
S3_REGION=us-east-1
V
}

stop_daemons() {
  local name pid killed="" tries=400
  for name in rgw osd.0 mon.a; do
    pid=$(pid_of $name)
    if ours "$pid"; then
      # The data is thrown away: nothing is gained by a clean stop.
      kill -KILL "$pid" 2>/dev/null || true
      killed="$killed $pid"
    fi
    rm -f "$DIR/run/$name.pid"
  done
  for pid in $killed; do
    while runs "$pid" && [ $tries -gt 0 ]; do sleep 0.02; tries=$((tries - 1)); done
  done
}

up() {
  local program try
  for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool osdmaptool curl openssl uuidgen python3; do
    command -v $program >/dev/null || die "$program is missing: run ./dev setup"
  done
  [ ! -e "$DIR/s3.env" ] || die "there is a server in $DIR already"
  for try in 1 2 3 4 5; do
    if start_once; then cat "$DIR/s3.env"; return; fi
    stop_daemons
    [ $try = 5 ] || rm -rf "$DIR"/{run,mon,osd,rgw}
  done
  tail -5 "$DIR/log/start.log" >&2
  die "does not start; the logs are in $DIR/log"
}

down() {
  stop_daemons
  [ ! -f "$DIR/ceph.conf" ] || rm -rf "$DIR"
}

[ $# -ge 2 ] || { sed -n '2,15p' "$0"; exit 2; }
mkdir -p "$2"
DIR=$(cd "$2" && pwd)
case $1 in
  up) up ;;
  down) down ;;
  run)
    trap down EXIT
    trap 'exit 1' TERM INT
    up
    echo ready
    # Until the starter goes away, however it does.
    cat >/dev/null
    ;;
  quota)
    export CEPH_CONF=$DIR/ceph.conf
    admin quota set --quota-scope=user --uid=tester --max-size="$3" >>"$DIR/log/quota" 2>&1
    admin quota enable --quota-scope=user --uid=tester >>"$DIR/log/quota" 2>&1
    ;;
  pause)
    pid=$(pid_of rgw)
    kill -STOP "$pid"
    # The signal reaches its threads one by one; each could still answer.
    for _ in $(seq 200); do
      cat /proc/"$pid"/task/*/status | grep -q '^State:[[:space:]]*[^T[:space:]]' || break
      sleep 0.01
    done
    ;;
  resume) kill -CONT "$(pid_of rgw)" ;;
  *) die "unknown command $1" ;;
esac
