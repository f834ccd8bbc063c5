# libkpflow_cuda.so, the kernels of src/main/cuda, where nvcc is found.
set(KPFLOW_CUDA AUTO CACHE STRING "the CUDA library: AUTO (where nvcc is found), ON or OFF")
option(KPFLOW_EMULATION "the CUDA sources on an emulation, for tests" OFF)

set(KPFLOW_CU ${CMAKE_CURRENT_SOURCE_DIR}/../src/main/cuda)
set(KPFLOW_EMULATED ${CMAKE_CURRENT_SOURCE_DIR}/../src/test/cpp/emulation)
file(GLOB_RECURSE KPFLOW_CUDA_SOURCES CONFIGURE_DEPENDS ${KPFLOW_CU}/*.cu)
# What both libraries are made of: errors, the pool of threads, the shapes of the cells, cells computed by the caller.
file(GLOB KPFLOW_SHARED_SOURCES CONFIGURE_DEPENDS ${KPFLOW_CPP}/core/*.cpp ${KPFLOW_CPP}/cell/*.cpp
  ${KPFLOW_CPP}/recurrent/computed.cpp)
set(KPFLOW_CUDA_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion)

if(KPFLOW_CUDA STREQUAL "AUTO")
  if(NOT CMAKE_CUDA_COMPILER)
    unset(CMAKE_CUDA_COMPILER CACHE)  # one that was installed since the last time is found
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  # Code for a compiler that knows no Hopper is not worth a broken build.
  if(CMAKE_CUDA_COMPILER)
    execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE KPFLOW_NVCC ERROR_QUIET)
    string(REGEX MATCH "release ([0-9]+)" KPFLOW_NVCC "${KPFLOW_NVCC}")
    if(NOT CMAKE_MATCH_1 OR CMAKE_MATCH_1 LESS 12)
      message(STATUS "kpflow: ${CMAKE_CUDA_COMPILER} is not used: expected nvcc 12 or later, got ${KPFLOW_NVCC}")
      set(CMAKE_CUDA_COMPILER "")
    endif()
  endif()
elseif(KPFLOW_CUDA)
  set(CMAKE_CUDA_COMPILER nvcc CACHE STRING "the CUDA compiler")
endif()
if(KPFLOW_CUDA AND CMAKE_CUDA_COMPILER)
  # Machine code for A100 and H100/H200, and PTX for what comes after; the runtime is part of the library, so that it loads
  # where no toolkit is installed.
  set(CMAKE_CUDA_ARCHITECTURES "80-real;90a-real;80-virtual" CACHE STRING "cards to compile for")
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  enable_language(CUDA)
  add_library(kpflow_cuda SHARED ${KPFLOW_CUDA_SOURCES} ${KPFLOW_SHARED_SOURCES})
  # Random numbers are those of the CPU.
  set_source_files_properties(${KPFLOW_CU}/linalg/random.cu PROPERTIES COMPILE_OPTIONS --fmad=false)
  target_compile_features(kpflow_cuda PRIVATE cxx_std_17 cuda_std_17)
  target_include_directories(kpflow_cuda PRIVATE ${KPFLOW_CU} ${KPFLOW_CPP} ${KPFLOW_CPP}/include)
  string(REPLACE ";" "," KPFLOW_HOST_WARNINGS "${KPFLOW_CUDA_WARNINGS}")
  target_compile_options(kpflow_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-O3 --extended-lambda --expt-relaxed-constexpr
      -Xcompiler=-fvisibility=hidden,${KPFLOW_HOST_WARNINGS}>
    $<$<COMPILE_LANGUAGE:CXX>:-O3 -fno-math-errno -fno-trapping-math -fvisibility=hidden ${KPFLOW_CUDA_WARNINGS} ${KPFLOW_STRICT}>)
  if(KPFLOW_WERROR)
    target_compile_options(kpflow_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=-Werror>)
  endif()
  target_link_libraries(kpflow_cuda PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
  target_link_options(kpflow_cuda PRIVATE -Wl,--no-undefined)
  set_target_properties(kpflow_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${KPFLOW_OUTPUT})
  message(STATUS "kpflow: CUDA by ${CMAKE_CUDA_COMPILER} for ${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "kpflow: no CUDA library (no nvcc, or switched off)")
endif()

if(KPFLOW_EMULATION)
  add_subdirectory(${CMAKE_CURRENT_LIST_DIR}/emulation)  # a folder of its own: there the same sources are C++
endif()
