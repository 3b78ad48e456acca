#!/usr/bin/env bash
# A private SFTP server (OpenSSH) on loopback, on a port that is free, with keys and users of its own; never root: it
# runs as the calling user, or as nobody when that is root. Any number side by side.
#
#   sftp.sh run DIR [small]     start, print KEY=VALUE lines and then "ready"; ends and cleans up when stdin is closed
#   sftp.sh up DIR [small]      start and return; prints the KEY=VALUE lines (also in DIR/sftp.env)
#   sftp.sh down DIR            stop exactly that server and remove DIR
#   sftp.sh rehost DIR          another host key from now on: whoever has pinned the old one must refuse
#   sftp.sh pause|resume DIR    freeze the server and its sessions: it hangs instead of failing
#
# The lines: SFTP_HOST, SFTP_PORT, SFTP_USER, SFTP_PASSWORD, SFTP_KEY (Ed25519), SFTP_KEY_ECDSA, SFTP_KEY_LOCKED (with
# the passphrase SFTP_PASSPHRASE), SFTP_KEY_STRANGER (not admitted), SFTP_KEY_RSA, SFTP_HOST_KEY and SFTP_HOST_KEY_ECDSA
# (fingerprints), SFTP_KNOWN_HOSTS, SFTP_RSA_PORT (a server with nothing but an RSA host key), SFTP_FOLDER (where objects may go).
# `small`: that folder is a file system of 4 MiB (root only).
set -euo pipefail

USER_NAME=backup
PASSWORD="correct horse"
SSHD=/usr/sbin/sshd

say() { echo "sftp.sh: $*" >&2; }
die() { say "$*"; exit 1; }

if [ "$(id -u)" = 0 ]; then
  OWNER=$(id -u nobody) GROUP=$(id -g nobody)
  AS=(setpriv --reuid "$OWNER" --regid "$GROUP" --clear-groups)
else
  OWNER=$(id -u) GROUP=$(id -g)
  AS=()
fi

free_port() {
  python3 - <<'P'
import random, socket, sys
for _ in range(200):
    port = random.randrange(15000, 32000)
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    sys.exit(0)
sys.exit("no free port")
P
}

pid_of() { cat "$DIR/$1.pid" 2>/dev/null || true; }
# The pid file may be older than the process that has the number now.
ours() { [ -n "${1:-}" ] && tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$DIR/"; }
runs() { grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null; }

# A server and the processes of its sessions.
family() {
  local pid child
  pid=$(pid_of "$1")
  ours "$pid" || return 0
  echo "$pid"
  for child in $(ps -o pid= --ppid "$pid") ; do echo "$child"; ps -o pid= --ppid "$child" || true; done
}

make_host_keys() {
  local type
  for type in ed25519 ecdsa rsa; do
    rm -f "$DIR/host_$type" "$DIR/host_$type.pub"
    ssh-keygen -q -t $type -N '' -C host -f "$DIR/host_$type"
  done
}

make_client_keys() {
  ssh-keygen -q -t ed25519 -N '' -C test -f "$DIR/key"
  ssh-keygen -q -t ecdsa -N '' -C test -f "$DIR/key_ecdsa"
  ssh-keygen -q -t ed25519 -N "$PASSWORD" -C test -f "$DIR/key_locked"
  ssh-keygen -q -t rsa -N '' -C test -f "$DIR/key_rsa"
  cat "$DIR"/key*.pub >"$DIR/authorized_keys"
  ssh-keygen -q -t ed25519 -N '' -C test -f "$DIR/key_stranger"
}

# A user whom this host does not know, with a password: nss_wrapper shows sshd a passwd file of ours.
make_user() {
  local hash
  hash=$(openssl passwd -6 "$PASSWORD")
  echo "$USER_NAME:$hash:$OWNER:$GROUP:test:$DIR/home:/bin/sh" >"$DIR/passwd"
  echo "sshd:*:65533:65533::/run/sshd:/usr/sbin/nologin" >>"$DIR/passwd"
  echo "$USER_NAME:x:$GROUP:" >"$DIR/group"
}

write_config() { # name, port, types of host keys
  local type
  {
    echo "ListenAddress 127.0.0.1"
    echo "Port $2"
    for type in $3; do echo "HostKey $DIR/host_$type"; done
    echo "PidFile none"
    echo "AuthorizedKeysFile $DIR/authorized_keys"
    echo "StrictModes no"
    echo "UsePAM no"
    echo "KbdInteractiveAuthentication no"
    echo "PasswordAuthentication yes"
    echo "Subsystem sftp internal-sftp"
    echo "ForceCommand internal-sftp"
    echo "MaxStartups 100"
    echo "LogLevel VERBOSE"
  } >"$DIR/$1.conf"
}

start_one() { # name, types of host keys; leaves the port in DIR/name.port
  local port tries=200
  port=$(free_port)
  write_config "$1" "$port" "$2"
  echo "$port" >"$DIR/$1.port"
  chown -R "$OWNER:$GROUP" "$DIR"
  # sshd starts itself anew for each connection: by its full path, and with the library in its environment.
  LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD=$DIR/passwd NSS_WRAPPER_GROUP=$DIR/group \
    "${AS[@]}" setsid "$SSHD" -f "$DIR/$1.conf" -D -E "$DIR/$1.log" </dev/null >/dev/null 2>&1 &
  echo $! >"$DIR/$1.pid"
  disown
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] && kill -0 "$(pid_of "$1")" 2>/dev/null || return 1
    sleep 0.02
  done
}

start() { # name, types of host keys
  local try
  for try in 1 2 3 4 5; do
    if start_one "$1" "$2"; then return; fi
    stop_one "$1"
  done
  tail -5 "$DIR/$1.log" >&2 || true
  die "sshd does not start"
}

stop_one() {
  local pid tries=200 family
  family=$(family "$1")
  for pid in $family; do kill -KILL "$pid" 2>/dev/null || true; done
  for pid in $family; do
    while runs "$pid" && [ $tries -gt 0 ]; do sleep 0.02; tries=$((tries - 1)); done
  done
  rm -f "$DIR/$1.pid"
}

print_env() {
  cat <<V
SFTP_HOST=127.0.0.1
SFTP_PORT=$(cat "$DIR/main.port")
SFTP_RSA_PORT=$(cat "$DIR/rsa.port")
SFTP_USER=$USER_NAME
SFTP_PASSWORD=$PASSWORD
SFTP_KEY=$DIR/key
SFTP_KEY_ECDSA=$DIR/key_ecdsa
SFTP_KEY_LOCKED=$DIR/key_locked
SFTP_PASSPHRASE=$PASSWORD
SFTP_KEY_STRANGER=$DIR/key_stranger
SFTP_KEY_RSA=$DIR/key_rsa
SFTP_HOST_KEY=$(ssh-keygen -lf "$DIR/host_ed25519.pub" | cut -d' ' -f2)
SFTP_HOST_KEY_ECDSA=$(ssh-keygen -lf "$DIR/host_ecdsa.pub" | cut -d' ' -f2)
SFTP_KNOWN_HOSTS=$DIR/known_hosts
SFTP_FOLDER=$DIR/objects
V
}

up() {
  [ -x $SSHD ] || die "sshd is missing: run ./dev setup"
  [ ! -e "$DIR/sftp.env" ] || die "there is a server in $DIR already"
  chmod 755 "$DIR"
  mkdir -p "$DIR/objects" "$DIR/home"
  if [ "${1:-}" = small ]; then mount -t tmpfs -o size=4m,mode=777 backstay-test "$DIR/objects"; fi
  make_host_keys
  make_client_keys
  make_user
  start main "ed25519 ecdsa rsa"
  start rsa rsa
  sed "s/^/[127.0.0.1]:$(cat "$DIR/main.port") /" "$DIR"/host_*.pub >"$DIR/known_hosts"
  print_env | tee "$DIR/sftp.env"
}

down() {
  stop_one main
  stop_one rsa
  ! mountpoint -q "$DIR/objects" || umount "$DIR/objects"
  [ ! -f "$DIR/passwd" ] || rm -rf "$DIR"
}

[ $# -ge 2 ] || { sed -n '2,16p' "$0"; exit 2; }
mkdir -p "$2"
DIR=$(cd "$2" && pwd)
case $1 in
  up) up "${3:-}" ;;
  down) down ;;
  run)
    trap down EXIT
    trap 'exit 1' TERM INT
    up "${3:-}"
    echo ready
    # Until the starter goes away, however it does.
    cat >/dev/null
    ;;
  rehost)
    make_host_keys
    chown "$OWNER:$GROUP" "$DIR"/host_*
    kill -HUP "$(pid_of main)"
    ;;
  pause)
    for pid in $(family main); do kill -STOP "$pid"; done
    ;;
  resume)
    for pid in $(family main); do kill -CONT "$pid"; done
    ;;
  *) die "unknown command $1" ;;
esac
