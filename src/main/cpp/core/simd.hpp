// Kernels are compiled for three levels of x86-64 and picked once by the loader. A kernel is an always-inlined template body with
// one non-template wrapper per element type that carries KPFLOW_CLONES.
#pragma once

#define KPFLOW_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define KPFLOW_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KPFLOW_CLONES
#endif
