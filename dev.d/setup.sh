# ./dev setup: what build and tests need, from Debian.
# shellcheck shell=bash

BUILD_PACKAGES="build-essential cmake ninja-build ccache pkgconf git
  libuv1-dev libboost1.81-dev libboost-json1.81-dev libsqlite3-dev libpq-dev libcurl4-openssl-dev libssl-dev libzstd-dev
  libarchive-dev libsodium-dev libexpat1-dev libfmt-dev libtomlplusplus-dev libcli11-dev libhowardhinnant-date-dev libsystemd-dev
  prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev clang libclang-rt-14-dev clang-format gcovr"
TEST_PACKAGES="postgresql-15 postgresql-client-15 zstd curl openssl procps util-linux openssh-server
  python3 python3-pytest python3-psycopg2 python3-boto3 python3-requests python3-jsonschema
  ceph-mon ceph-osd ceph-common radosgw uuid-runtime"

missing_packages() {
  local package
  for package in $BUILD_PACKAGES $TEST_PACKAGES; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

cmd_setup() {
  local missing as_root=()
  missing=$(missing_packages)
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
  "${as_root[@]}" apt-get -qq -o DPkg::Lock::Timeout=600 update
  # shellcheck disable=SC2086 # a list of words
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install -y \
    --no-install-recommends $missing >/dev/null
  say "setup: installed" $missing
}
