// What kernels see of the emulated device: included by cuda_runtime.h, whose first comment says what is offered.
#pragma once

#include <math.h>

#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __noinline__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local
#define KPFLOW_EMULATED_BUILTIN extern __thread

#define KPFLOW_EMULATED_VECTORS(type, name, bytes)                    \
  struct alignas(2 * bytes) name##2 {                                 \
    type x, y;                                                        \
  };                                                                  \
  struct name##3 {                                                    \
    type x, y, z;                                                     \
  };                                                                  \
  struct alignas(16) name##4 {                                        \
    type x, y, z, w;                                                  \
  };                                                                  \
  constexpr name##2 make_##name##2(type x, type y) { return {x, y}; } \
  constexpr name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
KPFLOW_EMULATED_VECTORS(int, int, 4)
KPFLOW_EMULATED_VECTORS(unsigned, uint, 4)
KPFLOW_EMULATED_VECTORS(float, float, 4)
#undef KPFLOW_EMULATED_VECTORS
struct alignas(16) double2 {
  double x, y;
};
constexpr double2 make_double2(double x, double y) { return {x, y}; }
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};

KPFLOW_EMULATED_BUILTIN uint3 threadIdx, blockIdx;
KPFLOW_EMULATED_BUILTIN dim3 blockDim, gridDim;
constexpr int warpSize = 32;

// The dynamic shared memory of the caller's block.
unsigned char* emulated_shared_bytes();

void __syncthreads();

namespace kpflow::emulated {
using ::emulated_shared_bytes;

// A meeting of the lanes in mask that have not ended: each leaves a value, and all see those of the lanes present.
enum class Meeting { barrier, shuffle, vote, product };
struct Values {
  const unsigned char (*of)[64];
  unsigned present;
};
Values meet(Meeting kind, unsigned mask, const void* value, size_t bytes);
unsigned lane();
unsigned living_lanes();

// The value of lane source, NaN or -1 when it took no part; a negative source is the caller itself.
template <class T>
T shuffle(unsigned mask, T value, int source) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "a type that CUDA shuffles");
  const Values values = meet(Meeting::shuffle, mask, &value, sizeof(T));
  if (source < 0) return value;
  if (values.present >> source & 1)
    std::memcpy(&value, values.of[source], sizeof(T));
  else
    std::memset(&value, 0xff, sizeof(T));
  return value;
}

// Warp-level products c += a b with the fragments of mma.sync; g = lane / 4, t = lane % 4.
// m16n8k8: a0 = A[g][t], a1 = A[g+8][t], a2 = A[g][t+4], a3 = A[g+8][t+4]; b0 = B[t][g], b1 = B[t+4][g];
// c0, c1 = C[g][2t], C[g][2t+1]; c2, c3 = C[g+8][2t], C[g+8][2t+1].  TF32 operands lose their low 13 bits.
void mma_m16n8k8_tf32(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void mma_m16n8k8_f64(double (&c)[4], const double (&a)[4], const double (&b)[2]);
// m8n8k4: a = A[g][t], b = B[t][g], c0, c1 = C[g][2t], C[g][2t+1].
void mma_m8n8k4_f64(double (&c)[2], double a, double b);

// cp.async: 4, 8 or 16 bytes of which the first `valid` are read and the rest is zero. The copy happens in wait.
void copy_async(void* shared, const void* global, int bytes, int valid);
inline void copy_async(void* shared, const void* global, int bytes) { copy_async(shared, global, bytes, bytes); }
void commit();
void wait_for_copies(unsigned pending_groups);
void wait_all();
template <int N>
void wait() {
  wait_for_copies(N);
}

// Clusters: the rank of the caller's block, the number of blocks, the barrier of all threads, and the address in
// another block of what has the address `shared` in the caller's.
unsigned cluster_rank();
unsigned cluster_size();
void cluster_sync();
void* cluster_map(void* shared, unsigned rank);
template <class T>
T* cluster_map(T* shared, unsigned rank) {
  return static_cast<T*>(cluster_map(static_cast<void*>(const_cast<std::remove_const_t<T>*>(shared)), rank));
}

template <class To, class From>
To bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}
// Keeps a product or sum from being contracted.
template <class T>
T rounded(T value) {
  asm("" : "+m"(value));
  return value;
}
template <class T, class F>
T update(T* address, F next) {
  using Word = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  Word* word = reinterpret_cast<Word*>(address);
  Word old = __atomic_load_n(word, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(word, &old, bits<Word>(next(bits<T>(old))), false, __ATOMIC_SEQ_CST,
                                      __ATOMIC_RELAXED)) {
  }
  return bits<T>(old);
}
}  // namespace kpflow::emulated

inline void __syncwarp(unsigned mask = 0xffffffffu) {
  kpflow::emulated::meet(kpflow::emulated::Meeting::barrier, mask, nullptr, 0);
}
inline unsigned __activemask() { return kpflow::emulated::living_lanes(); }
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = kpflow::emulated::lane();
  return kpflow::emulated::shuffle(mask, value, (lane & -width) | (source & (width - 1)));
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = kpflow::emulated::lane(), source = lane - static_cast<int>(delta);
  return kpflow::emulated::shuffle(mask, value, source < (lane & -width) ? -1 : source);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = kpflow::emulated::lane(), source = lane + static_cast<int>(delta);
  return kpflow::emulated::shuffle(mask, value, source >= (lane & -width) + width ? -1 : source);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int lane = kpflow::emulated::lane(), source = lane ^ bits;
  return kpflow::emulated::shuffle(mask, value, source >= (lane & -width) + width ? -1 : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const bool vote = predicate != 0;
  const auto values = kpflow::emulated::meet(kpflow::emulated::Meeting::vote, mask, &vote, 1);
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; lane++)
    if (values.present >> lane & 1) votes |= unsigned{values.of[lane][0]} << lane;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

#define KPFLOW_EMULATED_ADD(type)                                                    \
  inline type atomicAdd(type* address, type value) {                                 \
    return kpflow::emulated::update(address, [=](type old) { return old + value; }); \
  }
#define KPFLOW_EMULATED_EXCHANGE(type)                                     \
  inline type atomicExch(type* address, type value) {                      \
    return kpflow::emulated::update(address, [=](type) { return value; }); \
  }
#define KPFLOW_EMULATED_ATOMICS(type)                                                                  \
  KPFLOW_EMULATED_ADD(type)                                                                            \
  KPFLOW_EMULATED_EXCHANGE(type)                                                                       \
  inline type atomicMax(type* address, type value) {                                                   \
    return kpflow::emulated::update(address, [=](type old) { return old < value ? value : old; });     \
  }                                                                                                    \
  inline type atomicMin(type* address, type value) {                                                   \
    return kpflow::emulated::update(address, [=](type old) { return value < old ? value : old; });     \
  }                                                                                                    \
  inline type atomicCAS(type* address, type expected, type value) {                                    \
    return kpflow::emulated::update(address, [=](type old) { return old == expected ? value : old; }); \
  }
KPFLOW_EMULATED_ATOMICS(int)
KPFLOW_EMULATED_ATOMICS(unsigned)
KPFLOW_EMULATED_ATOMICS(unsigned long long)
KPFLOW_EMULATED_ADD(float)
KPFLOW_EMULATED_ADD(double)
KPFLOW_EMULATED_EXCHANGE(float)
#undef KPFLOW_EMULATED_ATOMICS
#undef KPFLOW_EMULATED_EXCHANGE
#undef KPFLOW_EMULATED_ADD
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() {}
template <class T>
T __ldg(const T* address) {
  return *address;
}

// Arithmetic under CUDA's names.
inline unsigned __float_as_uint(float x) { return kpflow::emulated::bits<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return kpflow::emulated::bits<float>(x); }
inline int __float_as_int(float x) { return kpflow::emulated::bits<int>(x); }
inline float __int_as_float(int x) { return kpflow::emulated::bits<float>(x); }
inline long long __double_as_longlong(double x) { return kpflow::emulated::bits<long long>(x); }
inline double __longlong_as_double(long long x) { return kpflow::emulated::bits<double>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<unsigned long long>(Wide{a} * b >> 64);
}
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __fmul_rn(float a, float b) { return kpflow::emulated::rounded(a * b); }
inline float __fadd_rn(float a, float b) { return kpflow::emulated::rounded(a + b); }
inline double __dmul_rn(double a, double b) { return kpflow::emulated::rounded(a * b); }
inline double __dadd_rn(double a, double b) { return kpflow::emulated::rounded(a + b); }
inline float rsqrtf(float x) { return static_cast<float>(1 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
#define __expf(x) expf(x)  // the C library declares a function of this name
inline void sincospi(double x, double* sine, double* cosine) {
  const double r = std::remainder(x, 2.0), pi = 3.14159265358979323846;  // exact: r in [-1, 1]
  const double a = std::fabs(r), sign = std::copysign(1.0, r);
  *sine = sign * (a > 0.75 ? std::sin(pi * (1 - a)) : a > 0.25 ? std::cos(pi * (0.5 - a)) : std::sin(pi * a));
  *cosine = a > 0.75 ? -std::cos(pi * (1 - a)) : a > 0.25 ? std::sin(pi * (0.5 - a)) : std::cos(pi * a);
}
inline void sincospif(float x, float* sine, float* cosine) {
  double s, c;
  sincospi(x, &s, &c);
  *sine = static_cast<float>(s);
  *cosine = static_cast<float>(c);
}

#define KPFLOW_EMULATED_MINMAX(A, B, C)                                                                               \
  constexpr C min(A a, B b) { return static_cast<C>(b) < static_cast<C>(a) ? static_cast<C>(b) : static_cast<C>(a); } \
  constexpr C max(A a, B b) { return static_cast<C>(a) < static_cast<C>(b) ? static_cast<C>(b) : static_cast<C>(a); }
KPFLOW_EMULATED_MINMAX(int, int, int)
KPFLOW_EMULATED_MINMAX(unsigned, unsigned, unsigned)
KPFLOW_EMULATED_MINMAX(int, unsigned, unsigned)
KPFLOW_EMULATED_MINMAX(unsigned, int, unsigned)
KPFLOW_EMULATED_MINMAX(long, long, long)
KPFLOW_EMULATED_MINMAX(unsigned long, unsigned long, unsigned long)
KPFLOW_EMULATED_MINMAX(long, unsigned long, unsigned long)
KPFLOW_EMULATED_MINMAX(unsigned long, long, unsigned long)
KPFLOW_EMULATED_MINMAX(long long, long long, long long)
KPFLOW_EMULATED_MINMAX(unsigned long long, unsigned long long, unsigned long long)
KPFLOW_EMULATED_MINMAX(long long, unsigned long long, unsigned long long)
KPFLOW_EMULATED_MINMAX(unsigned long long, long long, unsigned long long)
#undef KPFLOW_EMULATED_MINMAX
// As fmin and fmax: the number where the other is NaN.
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
inline double min(float a, double b) { return std::fmin(double{a}, b); }
inline double max(float a, double b) { return std::fmax(double{a}, b); }
inline double min(double a, float b) { return std::fmin(a, double{b}); }
inline double max(double a, float b) { return std::fmax(a, double{b}); }
