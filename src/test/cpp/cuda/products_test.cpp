// The engine of matrix products on the emulated card against plain loops in f64. Arguments: the library that takes the place of
// cuBLAS, and "quick" to leave the long cases out. Prints the measured accuracy, one line per failure, and a sum over all bits.
#include <cfloat>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/cuda_library.hpp"
#include "linalg/gemm.cuh"
#include "linalg/long_sums.cuh"
#include "linalg/own.cuh"

extern "C" kpflow::Device* kpflow_open_cuda(int32_t interface, char* why, size_t room);

namespace kpflow::cuda {
namespace {

int failures = 0;
uint64_t all_bits = 1469598103934665603u;

void expect(bool right, const char* format, ...) __attribute__((format(printf, 2, 3)));
void expect(bool right, const char* format, ...) {
  if (right) return;
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
  failures++;
}

template <class T>
struct Array {
  std::vector<T> host;
  T* memory = nullptr;
  T* device = nullptr;  // offset elements into the memory
  Array(std::vector<T> values, int64_t offset) : host(std::move(values)) {
    void* bytes = nullptr;
    check(cudaMalloc(&bytes, (host.size() + static_cast<size_t>(offset)) * sizeof(T)), "allocating");
    memory = static_cast<T*>(bytes);
    device = memory + offset;
    check(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyDefault), "copying");
  }
  ~Array() { cudaFree(memory); }
  std::vector<T> back() const {
    std::vector<T> values(host.size());
    check(cudaMemcpy(values.data(), device, values.size() * sizeof(T), cudaMemcpyDefault), "copying");
    return values;
  }
};

template <class T>
std::vector<T> normal(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> distribution;
  std::vector<T> values(static_cast<size_t>(count));
  for (T& value : values) value = static_cast<T>(distribution(engine));
  return values;
}

struct Case {
  bool ta, tb;
  int64_t m, n, k;
  double alpha = 1, beta = 0;
  int64_t batch = 1;
  int64_t pad = 0;                          // what rows are longer than their contents
  int64_t offset = 0;                       // of every array from an aligned address
  bool shared_a = false, shared_b = false;  // stride 0
};

// The largest error relative to epsilon |A||B|, and that of a plain product in T summed in order.
struct Errors {
  double own = 0, plain = 0;
};

template <class T>
struct Run {
  Case of;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c;
  Array<T> a, b, c;

  Run(const Case& test, std::vector<T> va, std::vector<T> vb, std::vector<T> vc)
      : of(test),
        lda((test.ta ? test.m : test.k) + test.pad),
        ldb((test.tb ? test.k : test.n) + test.pad),
        ldc(test.n + test.pad),
        stride_a(test.shared_a ? 0 : (test.ta ? test.k : test.m) * lda + test.pad),
        stride_b(test.shared_b ? 0 : (test.tb ? test.n : test.k) * ldb + test.pad),
        stride_c(test.m * ldc + test.pad),
        a(fill(std::move(va), test.shared_a ? (test.ta ? test.k : test.m) * lda : test.batch * stride_a, 1),
          test.offset),
        b(fill(std::move(vb), test.shared_b ? (test.tb ? test.n : test.k) * ldb : test.batch * stride_b, 2),
          test.offset),
        c(fill(std::move(vc), test.batch * stride_c, 3), test.offset) {
    if (test.beta == 0 && test.pad == 0) c.host.assign(c.host.size(), static_cast<T>(NAN));
    check(cudaMemcpy(c.device, c.host.data(), c.host.size() * sizeof(T), cudaMemcpyDefault), "copying");
  }
  static std::vector<T> fill(std::vector<T> values, int64_t count, unsigned seed) {
    return values.empty() ? normal<T>(count, seed) : std::move(values);
  }
  Product<T> product() const {
    return {of.ta,
            of.tb,
            of.m,
            of.n,
            of.k,
            static_cast<T>(of.alpha),
            a.device,
            lda,
            b.device,
            ldb,
            static_cast<T>(of.beta),
            c.device,
            ldc,
            of.batch,
            stride_a,
            stride_b,
            stride_c};
  }
  double left(int64_t i, int64_t row, int64_t q) const {
    return a.host[static_cast<size_t>(i * stride_a + (of.ta ? q * lda + row : row * lda + q))];
  }
  double right(int64_t i, int64_t q, int64_t column) const {
    return b.host[static_cast<size_t>(i * stride_b + (of.tb ? column * ldb + q : q * ldb + column))];
  }

  // Compares every element of C, those between its rows included.
  Errors compare(const std::vector<T>& got, double tolerance, const char* what) {
    const double epsilon = sizeof(T) == 4 ? FLT_EPSILON / 2 : DBL_EPSILON / 2;
    Errors errors;
    for (const T& value : got) {
      uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof(T));
      if (value == value) all_bits = (all_bits ^ bits) * 1099511628211u;
    }
    for (int64_t at = 0; at < static_cast<int64_t>(got.size()); ++at) {
      const int64_t i = at / stride_c, row = at % stride_c / ldc, column = at % stride_c % ldc;
      const T before = c.host[static_cast<size_t>(at)], after = got[static_cast<size_t>(at)];
      if (row >= of.m || column >= of.n) {
        expect(before == after, "%s: written beside the matrix at %lld", what, static_cast<long long>(at));
        continue;
      }
      double sum = 0, size = 0;
      T plain = 0;
      for (int64_t q = 0; q < of.k; ++q) {
        const double x = left(i, row, q), y = right(i, q, column);
        sum += x * y;
        size += std::fabs(x * y);
        plain = std::fma(static_cast<T>(x), static_cast<T>(y), plain);
      }
      const double expected = of.alpha * sum + (of.beta == 0 ? 0 : of.beta * before);
      const double scale = epsilon * (std::fabs(of.alpha) * size + std::fabs(of.beta == 0 ? 0 : of.beta * before));
      const double error = std::fabs(after - expected);
      if (size > 0) {
        errors.own = std::max(errors.own, error / (epsilon * size));
        errors.plain = std::max(errors.plain, std::fabs(plain - sum) / (epsilon * size));
      }
      if (!(error <= tolerance * scale + 4 * double{FLT_TRUE_MIN} * (sizeof(T) == 4))) {
        expect(false, "%s: transposes %d %d, [%lld, %lld, %lld] at %lld: expected %.17g, got %.17g", what, of.ta, of.tb,
               static_cast<long long>(of.m), static_cast<long long>(of.n), static_cast<long long>(of.k),
               static_cast<long long>(at), expected, static_cast<double>(after));
        return errors;
      }
    }
    return errors;
  }
};

struct Engine {
  kpflow_context owner{1};
  std::unique_ptr<Context> owned = new_context(owner);
  Context& context = *owned;

  template <class T>
  Errors check(const Case& test, const char* what, std::vector<T> a = {}, std::vector<T> b = {}) {
    Run<T> run(test, std::move(a), std::move(b), {});
    multiply<T>(context, run.product());
    context.finish();
    return run.compare(run.c.back(), 8 + std::sqrt(static_cast<double>(test.k)), what);
  }
};

// With every kind of tile, whatever the shape would choose.
template <class T>
void all_kinds(Engine& engine, const Case& test, int64_t parts, const char* what) {
  for (const TileKind kind : {TileKind::kSmall, TileKind::kSimt, TileKind::kTensor, TileKind::kLarge}) {
    const int64_t size = kind == TileKind::kSmall ? 32 : kind == TileKind::kLarge ? 128 : 64, vector = 16 / sizeof(T);
    Run<T> run(test, {}, {}, {});
    const bool aligned = test.offset % vector == 0 && run.lda % vector == 0 && run.ldb % vector == 0 &&
                         run.stride_a % vector == 0 && run.stride_b % vector == 0;
    if (kind == TileKind::kLarge && !aligned) continue;
    Plan plan{kind, pieces(test.m, size), pieces(test.n, size), parts,
              pieces(pieces(std::max<int64_t>(test.k, 1), parts), 16) * 16};
    plan.parts = std::max<int64_t>(1, pieces(test.k, plan.part_depth));
    T* room = engine.context.scratch<T>(Scratch::kProducts, Products::kRoom / static_cast<int64_t>(sizeof(T)));
    run_own(engine.context.stream, run.product(), plan, room);
    engine.context.finish();
    run.compare(run.c.back(), 8 + std::sqrt(static_cast<double>(test.k)), what);
  }
}

template <class T>
void test_shapes(Engine& engine, bool quick) {
  for (int which = 0; which < 4; ++which) {
    const bool ta = which & 1, tb = which & 2;
    for (int64_t size = 1; size <= 70; size += quick ? 23 : 3) {
      engine.check<T>({ta, tb, size, 71 - size, (size * 7) % 70 + 1}, "odd sizes");
      engine.check<T>({ta, tb, 67, 64 + size, size}, "odd sizes");
    }
    all_kinds<T>(engine, {ta, tb, 70, 41, 37, 1.5, -0.5}, 1, "odd sizes, all tiles");
    all_kinds<T>(engine, {ta, tb, 37, 75, 50, 1, 1, 3, 3, 1}, 1, "padded rows, unaligned, batch");
    all_kinds<T>(engine, {ta, tb, 136, 140, 52, 1, 0.25, 2, 4}, 2, "padded rows, aligned, batch, parts");
    all_kinds<T>(engine, {ta, tb, 260, 132, 36}, 1, "several tiles");
    all_kinds<T>(engine, {ta, tb, 5, 3, 0, 1, 2}, 1, "nothing to sum");
    engine.check<T>({ta, tb, 40, 40, 20, 2, 1, 5, 0, 0, true, false}, "the same A");
    engine.check<T>({ta, tb, 40, 40, 20, 2, 1, 5, 0, 0, false, true}, "the same B");
    for (const double alpha : {0.0, 1.0, -2.0})
      for (const double beta : {0.0, 1.0, 0.5}) engine.check<T>({ta, tb, 50, 66, 9, alpha, beta}, "alpha and beta");
  }
  engine.check<T>({false, true, 64 * 1030, 1, 3}, "many rows");
  engine.check<T>({false, true, 1, 64 * 1030, 3}, "many columns");
  engine.check<T>({false, false, 3, 2, 1, 1, 0, 70000}, "many products");
  for (const bool ta : {false, true}) engine.check<T>({ta, false, 70, 40, 20000}, "long sums");
  engine.check<T>({true, false, 3, 2, 20000}, "long sums");
}

void test_accuracy(Engine& engine, const char* engine_name, bool quick) {
  for (const int64_t k : {16, 256, quick ? 1024 : 20000}) {
    for (const bool positive : {false, true}) {
      std::vector<float> a = normal<float>(70 * k, 7), b = normal<float>(k * 70, 8);
      if (positive) {
        for (float& x : a) x = std::fabs(x);
        for (float& x : b) x = std::fabs(x);
      }
      const Errors errors = engine.check<float>({false, false, 70, 70, k}, "accuracy", a, b);
      std::printf("%s, k = %lld, %s: error %.3g, of a sum in order %.3g, in units of 2^-24 |A||B|\n", engine_name,
                  static_cast<long long>(k), positive ? "positive" : "normal", errors.own, errors.plain);
      expect(errors.own <= std::max(4.0, 1.1 * errors.plain), "accuracy at k = %lld", static_cast<long long>(k));
    }
  }
}

// Numbers at both ends of what f32 holds; the scale of A and of B.
void test_range(Engine& engine) {
  const float scales[][2] = {{1e-30f, 1},    {1, 1e-30f},     {1e30f, 1e-30f},  {1e30f, 1},     {1e-35f, 1e10f},
                             {1e37f, 1e-8f}, {1e-37f, 1e37f}, {1e-19f, 1e-19f}, {1e18f, 1e18f}, {3e-42f, 1e20f}};
  for (const auto& scale : scales) {
    const int64_t m = 70, n = 130, k = 90;
    std::vector<float> a = normal<float>(m * k, 11), b = normal<float>(k * n, 12);
    for (float& x : a) x *= scale[0];
    for (float& x : b) x *= scale[1];
    char what[64];
    std::snprintf(what, sizeof what, "scales %g and %g", double{scale[0]}, double{scale[1]});
    engine.check<float>({false, false, m, n, k}, what, a, b);
  }
}

// The sums of special numbers are those of ordinary arithmetic; others are not touched.
template <class T>
void test_special(Engine& engine) {
  const int64_t m = 70, n = 66, k = 40;
  std::vector<T> a = normal<T>(m * k, 13), b = normal<T>(k * n, 14);
  a[3 * k + 5] = std::numeric_limits<T>::infinity();
  a[9 * k + 7] = std::numeric_limits<T>::quiet_NaN();
  b[11 * n + 60] = -std::numeric_limits<T>::infinity();
  Run<T> run({false, false, m, n, k}, a, b, {});
  multiply<T>(engine.context, run.product());
  engine.context.finish();
  const auto c = run.c.back();
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t q = 0; q < k; ++q) sum += run.left(0, i, q) * run.right(0, q, j);
      const double got = c[static_cast<size_t>(i * n + j)];
      const bool same = std::isnan(sum) ? std::isnan(got) : std::isinf(sum) ? got == sum : std::fabs(got - sum) < 1e-4;
      expect(same, "special numbers at %d, %d: expected %g, got %g", static_cast<int>(i), static_cast<int>(j), sum,
             got);
    }
}

// A recorded product gives what it gives outside of a graph.
void test_capture(Engine& engine) {
  Run<float> run({false, false, 70, 70, 600}, {}, {}, {});
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t recorded = nullptr;
  check(cudaStreamBeginCapture(engine.context.stream, cudaStreamCaptureModeGlobal), "capturing");
  multiply<float>(engine.context, run.product());
  check(cudaStreamEndCapture(engine.context.stream, &graph), "capturing");
  check(cudaGraphInstantiate(&recorded, graph), "capturing");
  check(cudaGraphLaunch(recorded, engine.context.stream), "capturing");
  engine.context.finish();
  run.compare(run.c.back(), 40, "captured");
  cudaGraphExecDestroy(recorded);
  cudaGraphDestroy(graph);
}

// Products that are summed in parts, also for the matrices of a batch, the rest of the rows behind the last part.
void test_long(Engine& engine) {
  for (const Case& test : {Case{true, false, 40, 24, 3001, 1, 1, 3, 3}, Case{true, false, 33, 130, 1100},
                           Case{false, true, 20, 20, 1024, -1, 0.5, 2}, Case{true, false, 5, 5, 600, 1, 0, 300}}) {
    Run<double> run(test, {}, {}, {});
    multiply_long<double>(engine.context, run.product());
    engine.context.finish();
    run.compare(run.c.back(), 8 + std::sqrt(static_cast<double>(test.k)), "long sums");
  }
}

// Large tiles where they keep most of the card busy, for a card of 132 multiprocessors.
void test_plans() {
  const auto kind = [](int64_t rows) {
    const Product<float> p{false, true, rows, 256, 768, 1, nullptr, 768, nullptr, 768, 0, nullptr, 256};
    return plan_product(p, true, 132, Products::kRoom).kind;
  };
  expect(kind(8000) == TileKind::kLarge, "8000 rows: expected large tiles");
  expect(kind(800) == TileKind::kTensor, "800 rows: expected small tiles");
}

// What a call has started before it failed has ended when it returns; the emulation tells where KPFLOW_EMULATION_LAZY=1.
void test_its_end(Engine& engine) {
  Context& context = engine.context;
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "an event");
  bool thrown = false;
  try {
    context.to_its_end([&] {
      check(cudaEventRecord(event, context.stream), "an event");
      fail(KPFLOW_CANCELLED, "on its way");
    });
  } catch (const Error&) {
    thrown = true;
  }
  float time = 0;
  expect(thrown, "a failing call: expected its error");
  expect(cudaEventElapsedTime(&time, event, event) == cudaSuccess, "a failing call: expected it to wait");
  check(cudaEventDestroy(event), "an event");
}

std::string failure() {
  try {
    Engine engine;
    engine.check<float>({false, false, 3, 3, 3}, "after a failure");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void holds(const std::string& text, const char* part) {
  expect(text.find(part) != std::string::npos, "expected \"%s\" in: %s", part, text.c_str());
}

void test_choice(const char* library) {
  holds(Engine().context.products->describe(), "own kernels (no cuBLAS: ");
  setenv("KPFLOW_CUDA_GEMM", "fastest", 1);
  holds(failure(), "KPFLOW_CUDA_GEMM: expected one of auto, cublas, own, simt, got fastest");
  setenv("KPFLOW_CUDA_GEMM", "cublas", 1);
  holds(failure(), "KPFLOW_CUDA_GEMM: expected cuBLAS, got none: ");
  setenv("KPFLOW_CUBLAS", "/nowhere/libcublas.so", 1);
  holds(failure(), "/nowhere/libcublas.so");
  setenv("KPFLOW_CUDA_GEMM", "simt", 1);
  holds(Engine().context.products->describe(), "own kernels without tensor cores");
  setenv("KPFLOW_CUDA_GEMM", "cublas", 1);
  setenv("KPFLOW_CUBLAS", library, 1);
  setenv("FAKE_CUBLAS", "old", 1);
  holds(failure(), "expected version 12 or later, got 11805");
  setenv("FAKE_CUBLAS", "failing", 1);
  holds(failure(), "cublasSgemmStridedBatched: CUBLAS_STATUS_INTERNAL_ERROR (14)");
  unsetenv("FAKE_CUBLAS");
  setenv("KPFLOW_CUDA_MATH", "tf32", 1);
  holds(Engine().context.products->describe(), "f32 by TF32");
  unsetenv("KPFLOW_CUDA_MATH");
  char why[512] = "";
  Device* card = kpflow_open_cuda(kCudaInterface, why, sizeof why);
  expect(card != nullptr, "no card: %s", why);
  if (card != nullptr) holds(card->describe(), "matrix products by cuBLAS 13.1.2 (");
}

}  // namespace
}  // namespace kpflow::cuda

int main(int count, char** arguments) {
  using namespace kpflow::cuda;
  if (count < 2) return std::printf("usage: %s <library in the place of cuBLAS> [quick]\n", arguments[0]), 2;
  const bool quick = count > 2;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  unsetenv("KPFLOW_CUBLAS");
  unsetenv("KPFLOW_CUDA_GEMM");
  test_choice(arguments[1]);
  test_plans();
  // What takes cuBLAS's place works when it is called, which KPFLOW_EMULATION_GUARD and LAZY do not allow.
  const bool plain =
      std::getenv("KPFLOW_EMULATION_GUARD") == nullptr && std::getenv("KPFLOW_EMULATION_LAZY") == nullptr;
  for (const char* name : {"simt", "own", "cublas"}) {
    if (!plain && std::strcmp(name, "cublas") == 0) continue;
    setenv("KPFLOW_CUDA_GEMM", name, 1);
    Engine engine;
    std::printf("%s: %s\n", name, engine.context.products->describe().c_str());
    test_shapes<float>(engine, quick);
    test_shapes<double>(engine, quick);
    test_accuracy(engine, name, quick);
    test_range(engine);
    test_special<float>(engine);
    test_special<double>(engine);
    test_capture(engine);
    test_long(engine);
    test_its_end(engine);
  }
  std::printf("bits %016llx, %d failures\n", static_cast<unsigned long long>(all_bits), failures);
  return failures != 0;
}
