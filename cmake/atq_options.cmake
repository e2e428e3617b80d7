# Compiler, warnings, sanitizers, linker and cache: everything that is the same for each target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
# No -fPIC or -fPIE of CMake's: libraries and programs then share one precompiled header.

option(ATQ_TESTS "Build the tests" ON)
option(ATQ_PCH "Use precompiled headers" ON)
option(ATQ_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(ATQ_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

find_program(ATQ_CCACHE ccache)
if(ATQ_CCACHE)
  # pch_defines and time_macros are what ccache asks for to cache with precompiled headers.
  set(launcher "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" "CCACHE_NOHASHDIR=1"
               "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime" "${ATQ_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()

find_program(ATQ_MOLD mold)
if(ATQ_MOLD)
  add_link_options(-fuse-ld=mold)
  # Folds functions of the same code, most of them Asio's templates: the director takes 1.2 MiB less memory.
  # Nothing of ours or of Asio's compares addresses of functions.
  add_link_options($<$<CONFIG:Release>:-Wl,--icf=all>)
endif()

add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror)
# A nested designated initializer that leaves members to their defaults is how our value types are
# built; -Wextra's warning about it is for C.
add_compile_options(-Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside its own <string> and <optional> at -O2 and under sanitizers
  # (GCC bugs 105651, 105562); clang-tidy's analyzer looks for the real ones.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>)
  # The same in std::string's operator+ once it is inlined at -O2 (GCC bug 105329).
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds> $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>
                      $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overread>)
  # Asio's coroutine frames have an operator new and delete of their own, which GCC 12 sees inlined
  # on one side only at -O2.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-mismatched-new-delete>)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Boost 1.74 does not know that clang has had coroutines since (design: libraries).
  add_compile_definitions(BOOST_ASIO_HAS_CO_AWAIT=1 BOOST_ASIO_HAS_STD_COROUTINE=1)
  # libstdc++ 12's stable_sort calls get_temporary_buffer, which it deprecates itself.
  add_compile_options(-Wno-deprecated-declarations)
endif()
add_compile_definitions(
  BOOST_ASIO_NO_DEPRECATED
  BOOST_ERROR_CODE_HEADER_ONLY
  ATQ_VERSION="${PROJECT_VERSION}")

if(ATQ_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio's fences, which ThreadSanitizer does not model; every hand-over there is under a mutex too.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-tsan>)
endif()
if(ATQ_SANITIZE)
  add_compile_options(-fsanitize=${ATQ_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ATQ_SANITIZE})
endif()
if(ATQ_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-g1 -O0")
if(ATQ_SANITIZE OR ATQ_FUZZ)
  set(CMAKE_CXX_FLAGS_DEBUG "-g1 -O1")
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
