// Products of a warp on tensor cores: C [16, 8] += A [16, 8] B [8, 8]. Lane 4 g + t of a warp holds
//   a = A[g][t], A[g+8][t], A[g][t+4], A[g+8][t+4],   b = B[t][g], B[t+4][g],
//   c = C[g][2t], C[g][2t+1], C[g+8][2t], C[g+8][2t+1].
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace kpflow::cuda {

// The nearest TF32 number (8 bits of exponent, 11 of significand), ties away from zero; too large a number becomes infinite, and
// NaN any number at all. mma takes the upper 19 bits of an operand, whatever the others are. This is cvt.rna.tf32 without its test
// for NaN, which would cost as much as the rest.
__device__ __forceinline__ uint32_t to_tf32(float x) { return (__float_as_uint(x) + 0x1000u) & ~0x1fffu; }

__device__ __forceinline__ void mma(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
#ifdef KPFLOW_EMULATED
  emulated::mma_m16n8k8_tf32(c, a, b);
#else
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// On cards before Hopper the same in four instructions.
__device__ __forceinline__ void mma(double (&c)[4], const double (&a)[4], const double (&b)[2]) {
#ifdef KPFLOW_EMULATED
  emulated::mma_m16n8k8_f64(c, a, b);
#elif __CUDA_ARCH__ >= 900
  asm("mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+d"(c[0]), "+d"(c[1]), "+d"(c[2]), "+d"(c[3])
      : "d"(a[0]), "d"(a[1]), "d"(a[2]), "d"(a[3]), "d"(b[0]), "d"(b[1]));
#else
  for (int half = 0; half < 2; ++half) {  // rows g, then rows g + 8
    for (int k = 0; k < 2; ++k) {
      asm("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0,%1}, {%2}, {%3}, {%0,%1};"
          : "+d"(c[2 * half]), "+d"(c[2 * half + 1])
          : "d"(a[half + 2 * k]), "d"(b[k]));
    }
  }
#endif
}

}  // namespace kpflow::cuda
