# ./dev setup: what build and tests need, from Debian.
# shellcheck shell=bash

BUILD_PACKAGES="build-essential cmake ninja-build ccache pkgconf git
  libuv1-dev libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libpq-dev libcurl4-openssl-dev libssh2-1-dev libssl-dev libzstd-dev
  libarchive-dev libsodium-dev libexpat1-dev libfmt-dev libtomlplusplus-dev libcli11-dev libhowardhinnant-date-dev libsystemd-dev
  prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev clang libclang-rt-14-dev clang-format clang-tidy gcovr"
TEST_PACKAGES="postgresql-15 postgresql-client-15 pgbackrest zstd curl jq openssl procps util-linux systemd iproute2 openssh-server openssh-client libnss-wrapper strace
  zip unzip libarchive-tools uuid-runtime restic borgbackup
  python3 python3-pytest python3-pytest-xdist python3-psycopg2 python3-boto3 python3-requests python3-jsonschema python3-yaml
  python3-aiosmtpd
  ceph-mon ceph-osd ceph-common radosgw"

# missing_packages [MORE...]
missing_packages() {
  local package installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  for package in $BUILD_PACKAGES $TEST_PACKAGES "$@"; do
    grep -qxF "$package" <<<"$installed" || echo "$package"
  done
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# cmd_setup [MORE...]: MORE is what a single word of ./dev needs.
cmd_setup() {
  local missing as_root=()
  missing=$(missing_packages "$@")
  if [ -z "$missing" ]; then
    say "setup: everything is installed"
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "setup installs Debian packages and needs root or sudo: run it as root once"
    say "setup installs Debian packages and asks sudo for that"
    as_root=(sudo)
  fi
  # A system cluster of its own is not wanted: tests and labs start private ones.
  "${as_root[@]}" mkdir -p /etc/postgresql-common/createcluster.d
  echo "create_main_cluster = false" |
    "${as_root[@]}" tee /etc/postgresql-common/createcluster.d/backstay-tests.conf >/dev/null
  # Lists that are there already often suffice; they are fetched again when they do not.
  # shellcheck disable=SC2086 # a list of words
  apt_get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
    apt_get update
    apt_get install -y --no-install-recommends $missing >/dev/null
  }
  missing=$(missing_packages "$@")
  [ -z "$missing" ] || die "setup: still missing:" $missing
  say "setup: installed"
}
