#!/bin/sh
# Builds libuv for the wheels, as a shared library in /usr/local: what the images of cibuildwheel have is too old.
# LIBUV_ARCHIVE names an archive that is here already.
set -eu
version=1.51.0
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
  -DCMAKE_INSTALL_PREFIX=/usr/local
cmake --build "$folder/build" --parallel
cmake --install "$folder/build"
ldconfig 2>/dev/null || true
rm -rf "$folder"
