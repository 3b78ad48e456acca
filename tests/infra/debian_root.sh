#!/usr/bin/env bash
# A small Debian with its own running systemd, to try packages and services as on a real host. Needs root; no container
# engine, and inside no network but the loopback. What happens inside is forgotten at the next boot.
#
#   debian_root.sh build [PACKAGE...]   make it with these packages; .deb files are not installed but what they need is,
#                                       and what a .deb brings is in BASE/brings.NAME (KiB and name, one a line)
#   debian_root.sh boot                 start systemd as process 1 of namespaces; waits until it is up
#   debian_root.sh exec CMD ARGS...     run a command inside
#   debian_root.sh put FILE...          copy files to /mnt inside
#   debian_root.sh down                 stop it
#
# Environment: BASE, the folder of it all
set -euo pipefail
BASE=${BASE:?the folder of the system}
ROOT=$BASE/root
PIDFILE=$BASE/init.pid
PLAIN=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)

init_pid() {
  local pid
  pid=$(cat "$PIDFILE" 2>/dev/null) && [ -d "/proc/$pid" ] || return 1
  # The number may be another process's by now.
  [ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ] && grep -qx systemd "/proc/$pid/comm" && echo "$pid"
}

inside() { nsenter -t "$(init_pid)" -m -u -i -n -p -r -w "${PLAIN[@]}" "$@"; }

# In the root folder, before it is booted: with the host's network, which packages are fetched by.
in_root() {
  unshare --mount bash -c 'mount --make-rprivate / && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
    exec chroot "$0" "$@"' "$ROOT" "${PLAIN[@]}" "$@"
}

# needs NAME.deb: the packages that it needs beyond what is there, with sizes.
needs() {
  local own name
  own=$(dpkg-deb -f "$1" Package)
  in_root apt-get install -s --no-install-recommends "/root/debs/$(basename "$1")" | sed -n 's/^Inst \(\S*\) .*/\1/p' | while read -r name; do
    [ "$name" = "$own" ] || in_root apt-cache show --no-all-versions "$name" | awk -v name="$name" '/^Installed-Size:/ {print $2, name}'
  done
}

build() {
  local package debs=() others=() wanted
  for package in "$@"; do
    case $package in *.deb) debs+=("$package") ;; *) others+=("$package") ;; esac
  done
  wanted=$(printf '%s\n' "${others[@]}" "$(for package in "${debs[@]}"; do dpkg-deb -f "$package" Depends; done)")
  [ "$(cat "$BASE/wanted" 2>/dev/null)" != "$wanted" ] || return 0
  rm -rf --one-file-system "$ROOT"
  mkdir -p "$BASE"
  mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus bookworm "$ROOT"
  cp /etc/resolv.conf "$ROOT/etc/resolv.conf" 2>/dev/null || true
  # No cluster by itself, so that each test says what there is.
  mkdir -p "$ROOT/etc/postgresql-common/createcluster.d"
  echo "create_main_cluster = false" >"$ROOT/etc/postgresql-common/createcluster.d/none.conf"
  mkdir -p "$ROOT/root/debs"
  [ ${#debs[@]} = 0 ] || cp -- "${debs[@]}" "$ROOT/root/debs/"
  in_root apt-get update -qq
  # A .deb brings what is not there already: an agent's host has a PostgreSQL.
  in_root apt-get install -qq -y --no-install-recommends "${others[@]}" >"$BASE/install.log" 2>&1 ||
    { tail -20 "$BASE/install.log" >&2 && return 1; }
  : >"$BASE/brings"
  for package in "${debs[@]}"; do
    needs "$package" >"$BASE/needs"
    { echo "$(dpkg-deb -f "$package" Installed-Size) $package" && cat "$BASE/needs"; } >"$BASE/brings.$(dpkg-deb -f "$package" Package)"
    sed 's/.* //' "$BASE/needs" >>"$BASE/brings"
  done
  # shellcheck disable=SC2046 # a list of words
  in_root apt-get install -qq -y --no-install-recommends $(sort -u "$BASE/brings") >"$BASE/install.log" 2>&1 ||
    { tail -20 "$BASE/install.log" >&2 && return 1; }
  rm -rf "$ROOT/root/debs"
  echo "$wanted" >"$BASE/wanted"
}

init_script() {
  cat <<'INIT'
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1/live"
mkdir "$1/live/upper" "$1/live/work" "$1/live/root"
R=$1/live/root
mount -t overlay -o "lowerdir=$1/root,upperdir=$1/live/upper,workdir=$1/live/work" overlay "$R"
mount -t proc proc "$R/proc"
mount -t tmpfs -o mode=755 tmpfs "$R/run"
mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
mount -t sysfs -o ro sysfs "$R/sys"
mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
mount --rbind /dev "$R/dev"
cd "$R"
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=nspawn PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal-or-kmsg
INIT
}

boot() {
  local outer
  [ -z "$(init_pid)" ] || return 0
  mkdir -p "$BASE/live"
  init_script >"$BASE/init.sh"
  setsid unshare --mount --uts --ipc --net --cgroup --pid --fork bash "$BASE/init.sh" "$BASE" >"$BASE/boot.log" 2>&1 </dev/null &
  outer=$!
  for _ in $(seq 600); do
    sleep 0.1
    pgrep -P "$outer" >"$PIDFILE" 2>/dev/null || continue
    case $(inside systemctl is-system-running 2>/dev/null) in
      running | degraded) return 0 ;;
    esac
  done
  echo "systemd did not come up:" >&2
  tail -20 "$BASE/boot.log" >&2
  return 1
}

down() {
  local pid
  pid=$(init_pid) || return 0
  kill -s RTMIN+4 "$pid" 2>/dev/null || true # power off
  for _ in $(seq 100); do
    [ -d "/proc/$pid" ] || break
    sleep 0.1
  done
  [ ! -d "/proc/$pid" ] || kill -KILL "$pid"
  rm -f "$PIDFILE"
}

word=${1:-}
[ $# -eq 0 ] || shift
case $word in
  build) build "$@" ;;
  boot) boot ;;
  exec) inside "$@" ;;
  put) for file in "$@"; do inside sh -c 'cat >"$0"' "/mnt/$(basename "$file")" <"$file"; done ;;
  down) down ;;
  *)
    sed -n '2,13p' "$0" >&2
    exit 2
    ;;
esac
