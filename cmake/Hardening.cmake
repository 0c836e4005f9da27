# What makes a memory error end the process instead of being of use to an attacker, as options of mainspring_options.
# tests/security/test_hardening.py reads in the built module that it has come to be.
#
# Not with sanitizers, which have checks of their own in the same places and see less through these.
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)

option(MAINSPRING_HARDENING "Build with stack protector, fortified functions, RELRO and their relatives" ON)
if(NOT MAINSPRING_HARDENING OR MAINSPRING_SANITIZE)
  return()
endif()

# -fno-plt: since all symbols are bound at the start, calls can go straight through the table, which pays for the rest.
# Clang only warns of what the system does not have.
set(CMAKE_REQUIRED_FLAGS "-Werror")
foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -fno-plt)
  string(MAKE_C_IDENTIFIER "MAINSPRING_HAS${flag}" has)
  check_cxx_compiler_flag(${flag} ${has})
  if(${has})
    target_compile_options(mainspring_options INTERFACE ${flag})
    # Where the code is generated at link time.
    target_link_options(mainspring_options INTERFACE ${flag})
  endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)

# Level 3 needs GCC 12 or Clang 9; elsewhere glibc's headers warn of it and mean 2. Nothing is fortified unoptimised.
set(CMAKE_REQUIRED_FLAGS "-O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3")
check_cxx_source_compiles("#include <cstring>\nint main() { return 0; }" MAINSPRING_HAS_FORTIFY_3)
unset(CMAKE_REQUIRED_FLAGS)
set(level 2)
if(MAINSPRING_HAS_FORTIFY_3)
  set(level 3)
endif()
target_compile_options(mainspring_options INTERFACE
  "$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=${level}>")

# The rest is ELF's.
if(APPLE)
  return()
endif()
foreach(flag relro now noexecstack)
  set(has "MAINSPRING_LINKS_${flag}")
  check_linker_flag(CXX "LINKER:-z,${flag}" ${has})
  if(${has})
    target_link_options(mainspring_options INTERFACE "LINKER:-z,${flag}")
  endif()
endforeach()
