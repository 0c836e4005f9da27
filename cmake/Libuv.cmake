# libuv from the system, by pkg-config, as the target `libuv`.
set(minimum 1.44.2)
set(hint "mainspring needs libuv ${minimum} or newer with its headers, and pkg-config to find it. Install them with:
  Debian, Ubuntu:  apt install libuv1-dev pkg-config
  Fedora:          dnf install libuv-devel pkgconf-pkg-config
  Alpine:          apk add libuv-dev pkgconf
  macOS:           brew install libuv pkgconf")

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(LIBUV QUIET IMPORTED_TARGET "libuv>=${minimum}")
endif()
if(NOT LIBUV_FOUND)
  message(FATAL_ERROR "${hint}")
endif()
message(STATUS "libuv ${LIBUV_VERSION}")
add_library(libuv INTERFACE)
target_link_libraries(libuv INTERFACE PkgConfig::LIBUV)
