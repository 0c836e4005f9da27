# The language, the warnings and the sanitizers of all native code.
add_library(mainspring_options INTERFACE)
target_compile_features(mainspring_options INTERFACE cxx_std_20)
# pybind11's types are hidden, so whatever holds one has to be as well; -Wshadow would warn in its headers.
target_compile_options(mainspring_options INTERFACE -Wall -Wextra -fvisibility=hidden)

if(MAINSPRING_PORTABLE)
  target_compile_definitions(mainspring_options INTERFACE MAINSPRING_PORTABLE=1)
endif()

if(MAINSPRING_WERROR)
  target_compile_options(mainspring_options INTERFACE -Werror)
endif()

if(MAINSPRING_SANITIZE)
  # Reports need line numbers and no more, and with -O1 the build takes little more than half the time.
  set(flags -fsanitize=${MAINSPRING_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1 -g1)
  target_compile_options(mainspring_options INTERFACE ${flags})
  target_link_options(mainspring_options INTERFACE ${flags})
endif()

# All code tells the fuzzer where it has been; what makes a program a fuzzer is in tests/fuzz.
if(MAINSPRING_FUZZ)
  target_compile_options(mainspring_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

include(Hardening)
