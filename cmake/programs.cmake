# Programs in C++ alone over the C ABI, for machines without a JDK.
option(KPFLOW_PROGRAMS "kpflow_native_test and kpflow_native_bench" OFF)

# The program finds libkpflow and what it needs where this build has them.
function(kpflow_program name)
  file(GLOB sources CONFIGURE_DEPENDS ${ARGN})
  add_executable(${name} ${sources})
  target_compile_features(${name} PRIVATE cxx_std_17)
  target_include_directories(${name} PRIVATE ${KPFLOW_CPP}/include)
  target_compile_options(${name} PRIVATE -O2 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    ${KPFLOW_STRICT})
  # What libkpflow needs is looked for beside it; here it lies elsewhere, and is loaded by the program before it is asked for.
  set(folder ${KPFLOW_DEPS}/openblas/${KPFLOW_PLATFORM})
  target_link_libraries(${name} PRIVATE kpflow -Wl,--no-as-needed openblas arpack
    ${folder}/libgfortran.so.5 ${folder}/libquadmath.so.0)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}
    BUILD_WITH_INSTALL_RPATH ON
    INSTALL_RPATH "${KPFLOW_OUTPUT};${folder};${KPFLOW_DEPS}/arpackng/${KPFLOW_PLATFORM}")
  if(KPFLOW_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer -g)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

set(KPFLOW_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)
if(KPFLOW_PROGRAMS)
  kpflow_program(kpflow_native_test ${KPFLOW_ROOT}/src/test/cpp/native/*.cpp)
  kpflow_program(kpflow_native_bench ${KPFLOW_ROOT}/benchmarks/native/*.cpp)
endif()
