#!/bin/sh
# Builds libuv for the wheels, as a shared library in PREFIX (/usr/local): what the images of cibuildwheel have is too
# old, and on macOS what Homebrew has is for the newest system only. LIBUV_ARCHIVE names an archive that is here already;
# on macOS, MACOSX_DEPLOYMENT_TARGET the oldest system that it is for, which CMake reads by itself.
set -eu
version=1.51.0
prefix=${PREFIX:-/usr/local}
archive=${LIBUV_ARCHIVE:-}
folder=$(mktemp -d)
if [ -z "$archive" ]; then
  archive=$folder/libuv.tar.gz
  curl --fail --silent --show-error --location --output "$archive" \
    "https://dist.libuv.org/dist/v$version/libuv-v$version-dist.tar.gz"
fi
mkdir "$folder/source"
tar -xf "$archive" --strip-components=1 -C "$folder/source"
cmake -S "$folder/source" -B "$folder/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF \
  -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_NAME_DIR="$prefix/lib"
cmake --build "$folder/build" --parallel
cmake --install "$folder/build"
ldconfig 2>/dev/null || true
rm -rf "$folder"
