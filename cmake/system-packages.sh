# Installs what the build and the tests need from Debian, when something is missing. Elsewhere it only says what to
# install.
missing() {
  ! command -v g++ >/dev/null || ! command -v openssl >/dev/null || ! command -v pkg-config >/dev/null ||
    ! command -v git >/dev/null || ! command -v nm >/dev/null || ! command -v ps >/dev/null || ! pkg-config --exists 'libuv >= 1.44.2' ||
    ! python3 -c 'import venv, ensurepip' 2>/dev/null || [ ! -e /usr/include/doctest/doctest.h ]
}

missing || exit 0
packages="binutils g++ git libuv1-dev openssl pkg-config procps python3-dev python3-venv doctest-dev valgrind"
if ! command -v apt-get >/dev/null; then
  echo "Please install the equivalents of these Debian packages: $packages" >&2
  exit 1
fi
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $packages >/dev/null
