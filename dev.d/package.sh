# ./dev package
# shellcheck shell=bash

# What only packages and their test need; `./dev setup` leaves it out.
PACKAGE_PACKAGES="dpkg-dev binutils rpm rpmlint lintian mmdebstrap zlib1g-dev libbz2-dev liblzma-dev nettle-dev"

# cmd_package [FOLDER]: .deb and .rpm of a release build, in build/packages unless a folder is named.
cmd_package() {
  cmd_setup $PACKAGE_PACKAGES
  say "package: building (some minutes the first time)"
  cmd_build package backstay-agent backstay backstay-control >&2
  "$PYTHON" "$ROOT/packaging/make.py" --build "$ROOT/build/package" --out "${1:-$ROOT/build/packages}"
}

# Installs the packages in a Debian of its own with a running systemd; needs root.
test_package() {
  [ "$(id -u)" = 0 ] || die "the test of packages boots a system of its own and needs root"
  cmd_package
  cd "$ROOT"
  "$PYTHON" -m pytest -q -p no:cacheprovider --durations=5 "${@:-tests/package}"
}
