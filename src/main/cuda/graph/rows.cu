#include <cmath>

#include "graph/rows.cuh"

namespace kpflow::cuda {

namespace {

constexpr int kWarp = 32;

// The sum over a warp, the same in every lane and on every run.
template <class T>
__device__ T warp_sum(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}
template <class T>
__device__ T warp_max(T value) {
  for (int step = kWarp / 2; step > 0; step /= 2) {
    const T other = __shfl_xor_sync(0xffffffffu, value, step);
    value = value < other ? other : value;
  }
  return value;
}

// body(row, lane) for every row, a warp each.
template <class Body>
__global__ void __launch_bounds__(kThreads) each_warp(int64_t rows, Body body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * (kThreads / kWarp);
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp; row < rows;
       row += step) {
    body(row, lane);
  }
}
template <class Body>
void for_warps(cudaStream_t stream, int64_t rows, const Body& body) {
  if (rows <= 0) return;
  const int64_t blocks = std::min<int64_t>(pieces(rows, kThreads / kWarp), 1 << 20);
  launch(stream, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, 1, "rows by warps"}, each_warp<Body>, rows,
         body);
}

// phi and phi' as kpflow.h defines them; a NaN stays one.
template <class T>
__device__ void activation_of(int32_t activation, T z, T& y, T& slope) {
  if (activation == KPFLOW_TANH) {
    y = tanh(z);
    slope = T(1) - y * y;
  } else if (activation == KPFLOW_RELU) {
    y = z <= T(0) ? T(0) : z;
    slope = z <= T(0) ? T(0) : z > T(0) ? T(1) : z;
  } else {
    const T normal = erfc(-z * T(0.70710678118654752440)) / 2;
    y = z * normal;
    slope = normal + z * exp(-z * z / 2) * T(0.39894228040143267794);
  }
}

// Where the parameters of row r of probe `probe` start.
template <class T>
__device__ T* parameters_of(const Parameters<T>& of, int64_t k, int64_t probe, int64_t r) {
  return of.theta + (of.group_rows == k ? probe : probe * (k / of.group_rows) + r / of.group_rows) * of.p;
}

}  // namespace

// Memory: three passes over [rows, units].
template <class T>
void activate(Context& context, int32_t activation, int64_t rows, int64_t units, const T* bias, T* value, T* slope) {
  if (activation == KPFLOW_IDENTITY && bias == nullptr) return;
  for_rows(context.stream, 1, rows, units, [=] __device__(int64_t, int64_t r, int64_t c) {
    const int64_t at = r * units + c;
    const T z = bias != nullptr ? value[at] + bias[c] : value[at];
    if (activation == KPFLOW_IDENTITY) {
      value[at] = z;
    } else {
      activation_of(activation, z, value[at], slope[at]);
    }
  });
}

// Memory; the second and third reading of a row of up to a few thousand units come from the caches.
template <class T>
void norm_values(Context& context, int64_t rows, int64_t units, double epsilon, const T* v, const T* gamma,
                 const T* beta, T* xhat, T* scale, T* value) {
  for_warps(context.stream, rows, [=] __device__(int64_t row, int lane) {
    const T* from = v + row * units;
    double sum = 0, squares = 0;
    for (int64_t i = lane; i < units; i += kWarp) sum += from[i];
    const double mean = warp_sum(sum) / static_cast<double>(units);
    for (int64_t i = lane; i < units; i += kWarp) squares += (from[i] - mean) * (from[i] - mean);
    const double factor = 1 / sqrt(warp_sum(squares) / static_cast<double>(units) + epsilon);
    const bool overflows = !(static_cast<T>(factor) > T(0));  // the variance does
    if (lane == 0) scale[row] = static_cast<T>(factor);
    for (int64_t i = lane; i < units; i += kWarp) {
      const T x = static_cast<T>((from[i] - mean) * factor);
      xhat[row * units + i] = x;
      const T y = (gamma != nullptr ? gamma[i] * x : x) + (beta != nullptr ? beta[i] : T(0));
      value[row * units + i] = overflows ? static_cast<T>(NAN) : y;
    }
  });
}

// Memory: reads y, injected and slope (from the L2 cache after the first probe where it is small), writes y.
template <class T>
void scale_tangent(Context& context, int64_t s, int64_t k, int64_t units, Rows<const T> injected, T sign,
                   const T* slope, const Parameters<const T>& bias, bool product, Rows<T> y) {
  for_rows(context.stream, s, k, units, [=] __device__(int64_t p, int64_t r, int64_t c) {
    const int64_t row = p * k + r;
    T& target = y.data[row * y.stride + c];
    T value = product ? target : T(0);
    if (bias.theta != nullptr) value += parameters_of(bias, k, p, r)[c];
    if (slope != nullptr) value *= slope[r * units + c];
    target = injected.data != nullptr ? injected.data[row * injected.stride + c] + sign * value : sign * value;
  });
}

// Memory: reads dv, xhat and injected, writes y; the second reading of a row comes from the caches.
template <class T>
void norm_tangent(Context& context, int64_t s, int64_t k, int64_t units, const Norm<T>& norm, Rows<const T> injected,
                  T sign, Rows<const T> dv, const Parameters<const T>& dgamma, const Parameters<const T>& dbeta,
                  Rows<T> y) {
  for_warps(context.stream, s * k, [=] __device__(int64_t row, int lane) {
    const int64_t p = row / k, r = row % k;
    const T* xhat = norm.xhat + r * units;
    const T* from = dv.data != nullptr ? dv.data + row * dv.stride : nullptr;
    T mean = 0, slant = 0;
    if (from != nullptr) {
      for (int64_t i = lane; i < units; i += kWarp) {
        mean += from[i];
        slant += xhat[i] * from[i];
      }
      mean = warp_sum(mean) / static_cast<T>(units);
      slant = warp_sum(slant) / static_cast<T>(units);
    }
    const T* weight = dgamma.theta != nullptr ? parameters_of(dgamma, k, p, r) : nullptr;
    const T* bias = dbeta.theta != nullptr ? parameters_of(dbeta, k, p, r) : nullptr;
    for (int64_t i = lane; i < units; i += kWarp) {
      T value = 0;
      if (from != nullptr) value = norm.scale[r] * (from[i] - mean - xhat[i] * slant);
      if (norm.gamma != nullptr) value *= norm.gamma[i];
      if (weight != nullptr) value += weight[i] * xhat[i];
      if (bias != nullptr) value += bias[i];
      y.data[row * y.stride + i] =
          injected.data != nullptr ? injected.data[row * injected.stride + i] + sign * value : sign * value;
    }
  });
}

// Memory: reads a, xhat and dv, writes dv.
template <class T>
void norm_cotangent(Context& context, int64_t s, int64_t k, int64_t units, const Norm<T>& norm, T sign, Rows<const T> a,
                    Rows<T> dv) {
  for_warps(context.stream, s * k, [=] __device__(int64_t row, int lane) {
    const int64_t r = row % k;
    const T *xhat = norm.xhat + r * units, *from = a.data + row * a.stride;
    T mean = 0, slant = 0;
    for (int64_t i = lane; i < units; i += kWarp) {
      const T g = norm.gamma != nullptr ? norm.gamma[i] * from[i] : from[i];
      mean += g;
      slant += xhat[i] * g;
    }
    mean = warp_sum(mean) / static_cast<T>(units);
    slant = warp_sum(slant) / static_cast<T>(units);
    for (int64_t i = lane; i < units; i += kWarp) {
      const T g = norm.gamma != nullptr ? norm.gamma[i] * from[i] : from[i];
      dv.data[row * dv.stride + i] += sign * norm.scale[r] * (g - mean - xhat[i] * slant);
    }
  });
}

namespace {

// One part of a group's rows and a tile of its columns by a block.
template <class T>
struct ScaleCotangent {
  int64_t k, units, groups, group_rows, parts, part_rows;
  const T *slope, *xhat;
  Rows<const T> a;
  ProbeRows<T> g;
  T *weight, *bias;  // of the first part of the first group
  int64_t stride;    // between the sums of two parts, or groups where there is one part
};

// Memory: reads a and the slopes once, writes g; the sums stay in registers and then in shared memory.
template <class T>
__global__ void __launch_bounds__(kThreads) scale_cotangent_kernel(ScaleCotangent<T> of) {
  constexpr int kRows = 4;  // that a thread has on their way from memory
  __shared__ T sums[2][kThreads];
  const int64_t task = blockIdx.x, first = task % of.parts * of.part_rows, group_row = task / of.parts * of.group_rows;
  const int64_t end = min(first + of.part_rows, of.group_rows);
  const int64_t probe = group_row / of.k, record = group_row % of.k;
  const unsigned x = threadIdx.x, y = threadIdx.y, lane = y * blockDim.x + x;
  for (int64_t begin = static_cast<int64_t>(blockIdx.y) * blockDim.x; begin < of.units;
       begin += static_cast<int64_t>(gridDim.y) * blockDim.x) {
    const int64_t c = begin + x;
    T sum = 0, product = 0;
    if (c < of.units) {
      for (int64_t begin_row = first + y; begin_row < end; begin_row += kRows * blockDim.y) {
        T value[kRows], factor[kRows];
        for (int q = 0; q < kRows; ++q) {
          const int64_t r = begin_row + q * static_cast<int64_t>(blockDim.y);
          const bool inside = r < end;
          value[q] = inside ? of.a.data[(group_row + r) * of.a.stride + c] : T(0);
          factor[q] = inside && of.slope != nullptr ? of.slope[(record + r) * of.units + c] : T(1);
        }
        for (int q = 0; q < kRows; ++q) {
          const int64_t r = begin_row + q * static_cast<int64_t>(blockDim.y);
          if (r >= end) break;
          value[q] *= factor[q];
          if (of.g.data != nullptr) of.g.data[probe * of.g.probe + (record + r) * of.g.stride + c] = value[q];
          sum += value[q];
          if (of.weight != nullptr) product += value[q] * of.xhat[(record + r) * of.units + c];
        }
      }
    }
    if (of.weight == nullptr && of.bias == nullptr) continue;
    sums[0][lane] = sum;
    sums[1][lane] = product;
    __syncthreads();
    if (y == 0 && c < of.units) {
      for (unsigned other = 1; other < blockDim.y; ++other) {
        sum += sums[0][other * blockDim.x + x];
        product += sums[1][other * blockDim.x + x];
      }
      if (of.bias != nullptr) of.bias[task * of.stride + c] = sum;
      if (of.weight != nullptr) of.weight[task * of.stride + c] = product;
    }
    __syncthreads();
  }
}

}  // namespace

template <class T>
void scale_cotangent(Context& context, int64_t s, int64_t k, int64_t units, const T* slope, const T* xhat,
                     Rows<const T> a, ProbeRows<T> g, const Parameters<T>& weight, const Parameters<T>& bias) {
  const bool sums = weight.theta != nullptr || bias.theta != nullptr;
  const Parameters<T>& any = weight.theta != nullptr ? weight : bias;
  constexpr int64_t kBlocks = 2048, kLeastRows = 64;  // enough blocks for every card; a constant, as sums depend on it
  const dim3 block = row_block(units);
  ScaleCotangent<T> of{};
  of.k = k;
  of.units = units;
  of.group_rows = sums ? any.group_rows : k;
  of.groups = s * k / of.group_rows;
  const int64_t tiles = pieces(units, block.x);
  const int64_t parts = std::clamp<int64_t>(kBlocks / (tiles * of.groups), 1, pieces(of.group_rows, kLeastRows));
  of.part_rows = pieces(of.group_rows, parts);
  of.parts = pieces(of.group_rows, of.part_rows);
  of.slope = slope;
  of.xhat = xhat;
  of.a = a;
  of.g = g;
  of.weight = weight.theta;
  of.bias = bias.theta;
  of.stride = any.p;
  if (sums && of.parts > 1) {
    of.stride = 2 * units;
    T* partial = context.scratch<T>(Scratch::kPartial, of.groups * of.parts * 2 * units);
    of.bias = bias.theta != nullptr ? partial : nullptr;
    of.weight = weight.theta != nullptr ? partial + units : nullptr;
  }
  const dim3 grid(static_cast<unsigned>(of.groups * of.parts), static_cast<unsigned>(std::min<int64_t>(tiles, 65535)));
  launch(context.stream, {grid, block, 0, 1, "cotangents by slopes"}, scale_cotangent_kernel<T>, of);
  if (!sums || of.parts == 1) return;
  const int64_t p = any.p, groups = of.groups, part_count = of.parts, stride = of.stride;
  const T *bias_parts = of.bias, *weight_parts = of.weight;
  T *bias_sum = bias.theta, *weight_sum = weight.theta;
  for_rows(context.stream, groups, 1, units, [=] __device__(int64_t group, int64_t, int64_t c) {
    T sum = 0, product = 0;
    for (int64_t part = 0; part < part_count; ++part) {
      const int64_t at = (group * part_count + part) * stride + c;
      if (bias_sum != nullptr) sum += bias_parts[at];
      if (weight_sum != nullptr) product += weight_parts[at];
    }
    if (bias_sum != nullptr) bias_sum[group * p + c] = sum;
    if (weight_sum != nullptr) weight_sum[group * p + c] = product;
  });
}

// Memory: reads s twice, from the caches the second time, and writes it; a row of a serves all probes.
template <class T>
void softmax_tangent(Context& context, int64_t batch, int64_t size, int64_t probes, T factor, const T* a, T* s) {
  for_warps(context.stream, batch * size * probes, [=] __device__(int64_t row, int lane) {
    const T* weight = a + row / probes * size;
    T* y = s + row * size;
    T sum = 0;
    for (int64_t i = lane; i < size; i += kWarp) sum += weight[i] * y[i];
    sum = warp_sum(sum);
    for (int64_t i = lane; i < size; i += kWarp) y[i] = factor * weight[i] * (y[i] - sum);
  });
}

template <class T>
void softmax_values(Context& context, int64_t batch, int64_t size, bool causal, T* s) {
  for_warps(context.stream, batch * size, [=] __device__(int64_t row, int lane) {
    const int64_t seen = causal ? row % size + 1 : size;
    T* y = s + row * size;
    T most = y[0], sum = 0;
    for (int64_t i = lane; i < seen; i += kWarp) most = most < y[i] ? y[i] : most;
    most = warp_max(most);
    for (int64_t i = lane; i < seen; i += kWarp) sum += y[i] = exp(y[i] - most);
    sum = warp_sum(sum);
    for (int64_t i = lane; i < size; i += kWarp) y[i] = i < seen ? y[i] / sum : T(0);
  });
}

#define KPFLOW_GRAPH_ROWS(T)                                                                                          \
  template void activate<T>(Context&, int32_t, int64_t, int64_t, const T*, T*, T*);                                   \
  template void norm_values<T>(Context&, int64_t, int64_t, double, const T*, const T*, const T*, T*, T*, T*);         \
  template void scale_tangent<T>(Context&, int64_t, int64_t, int64_t, Rows<const T>, T, const T*,                     \
                                 const Parameters<const T>&, bool, Rows<T>);                                          \
  template void norm_tangent<T>(Context&, int64_t, int64_t, int64_t, const Norm<T>&, Rows<const T>, T, Rows<const T>, \
                                const Parameters<const T>&, const Parameters<const T>&, Rows<T>);                     \
  template void norm_cotangent<T>(Context&, int64_t, int64_t, int64_t, const Norm<T>&, T, Rows<const T>, Rows<T>);    \
  template void scale_cotangent<T>(Context&, int64_t, int64_t, int64_t, const T*, const T*, Rows<const T>,            \
                                   ProbeRows<T>, const Parameters<T>&, const Parameters<T>&);                         \
  template void softmax_tangent<T>(Context&, int64_t, int64_t, int64_t, T, const T*, T*);                             \
  template void softmax_values<T>(Context&, int64_t, int64_t, bool, T*);
KPFLOW_GRAPH_ROWS(float)
KPFLOW_GRAPH_ROWS(double)
#undef KPFLOW_GRAPH_ROWS

}  // namespace kpflow::cuda
