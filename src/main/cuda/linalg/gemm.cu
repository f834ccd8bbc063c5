#include <cstdlib>
#include <cstring>

#include "linalg/cublas.cuh"
#include "linalg/gemm.cuh"
#include "linalg/own.cuh"

namespace kpflow::cuda {

namespace {

// The setting in an environment variable, one of `allowed`, of which the first is the default.
std::string setting(const char* name, std::initializer_list<const char*> allowed) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == 0) return *allowed.begin();
  std::string list;
  for (const char* each : allowed) {
    if (std::strcmp(each, value) == 0) return value;
    list += (list.empty() ? "" : ", ") + std::string(each);
  }
  fail(KPFLOW_INVALID_ARGUMENT, "%s: expected one of %s, got %s", name, list.c_str(), value);
}

}  // namespace

Products::Products(Context& context) : context_(context) {
  int device = 0;
  check(cudaGetDevice(&device), "asking for the card");
  check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device), "asking for the card");
  char* room = context.scratch<char>(Scratch::kProducts, kRoom);
  const std::string engine = setting("KPFLOW_CUDA_GEMM", {"auto", "cublas", "own", "simt"});
  const bool tf32 = setting("KPFLOW_CUDA_MATH", {"f32", "tf32"}) == "tf32";
  tensor_cores_ = engine != "simt";
  description_ = tensor_cores_ ? "own kernels" : "own kernels without tensor cores";
  if (engine != "auto" && engine != "cublas") return;
  std::string why;
  cublas_ = Cublas::open(context.stream, room, kRoom, tf32, why);
  if (cublas_) {
    description_ = cublas_->describe();
  } else if (engine == "cublas") {
    fail(KPFLOW_UNAVAILABLE, "KPFLOW_CUDA_GEMM: expected cuBLAS, got none: %s", why.c_str());
  } else {
    description_ += " (no cuBLAS: " + why + ")";
  }
}

Products::~Products() = default;

template <class T>
static bool aligned(const Product<T>& p) {
  const auto whole = [](const T* matrix, int64_t ld, int64_t stride) {
    return (reinterpret_cast<uintptr_t>(matrix) | static_cast<uintptr_t>(ld | stride) * sizeof(T)) % 16 == 0;
  };
  return whole(p.a, p.lda, p.stride_a) && whole(p.b, p.ldb, p.stride_b);
}

template <class T>
Plan plan_product(const Product<T>& p, bool tensor_cores, int multiprocessors, int64_t room) {
  constexpr int64_t kShortest = 256, kLongest = 1 << 30;  // parts of the inner dimension
  const auto tiles = [&](int64_t size) { return pieces(p.m, size) * pieces(p.n, size) * p.batch; };
  const int64_t narrow = std::min(p.m, p.n);
  Plan plan{};
  int64_t size = 64, resident = 2;  // blocks per multiprocessor
  if (narrow <= 32) {
    plan.kind = TileKind::kSmall;  // most of a larger tile would lie outside; bound by memory in any case
    size = 32;
    resident = 4;
  } else if (!tensor_cores) {
    plan.kind = TileKind::kSimt;
  } else if (narrow > 64 && aligned(p) && 4 * tiles(128) * std::max<int64_t>(1, p.k / 1024) >= 3 * multiprocessors) {
    plan.kind = TileKind::kLarge;  // also where a quarter of the card is idle: it reads half of what smaller tiles do
    size = 128;
    resident = sizeof(T) == 4 ? 2 : 1;
  } else {
    plan.kind = TileKind::kTensor;
  }
  plan.tiles_m = pieces(p.m, size);
  plan.tiles_n = pieces(p.n, size);
  // Time ~ rounds of the card / parts, plus 2 % for every part's sums, written and read once more.
  const int64_t whole = tiles(size), slots = multiprocessors * resident;
  double best = static_cast<double>(pieces(whole, slots));  // for one part
  plan.parts = pieces(std::max<int64_t>(p.k, 1), kLongest);
  for (int64_t parts = plan.parts + 1;
       parts <= 256 && parts * kShortest <= p.k && parts <= room / (p.batch * p.m * p.n); ++parts) {
    const double time = static_cast<double>(pieces(whole * parts, slots)) / static_cast<double>(parts) +
                        0.02 * static_cast<double>(whole * parts) / static_cast<double>(slots);
    if (time < best) {
      best = time;
      plan.parts = parts;
    }
  }
  plan.part_depth = pieces(pieces(std::max<int64_t>(p.k, 1), plan.parts), 16) * 16;  // whole tiles
  plan.parts = pieces(std::max<int64_t>(p.k, 1), plan.part_depth);
  return plan;
}

template <class T>
void Products::run_typed(const Product<T>& p) {
  if (cublas_ && cublas_->run(p)) return;
  const int64_t room = kRoom / static_cast<int64_t>(sizeof(T));
  run_own(context_.stream, p, plan_product(p, tensor_cores_, multiprocessors_, room),
          context_.scratch<T>(Scratch::kProducts, room));
}

void Products::run(const Product<float>& product) { run_typed(product); }
void Products::run(const Product<double>& product) { run_typed(product); }

std::unique_ptr<Context> new_context(kpflow_context& owner) {
  auto context = std::make_unique<Context>(owner);
  context->products = std::make_shared<Products>(*context);
  return context;
}

}  // namespace kpflow::cuda
