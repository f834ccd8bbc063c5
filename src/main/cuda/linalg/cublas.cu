#include <dlfcn.h>

#include <climits>
#include <cstdlib>
#include <vector>

#include "linalg/cublas.cuh"

namespace kpflow::cuda {

namespace {

// What cuBLAS's interface says; it is the same in versions 12 and 13.
using Handle = struct cublasContext*;
using Status = int;
enum Operation : int { kNone = 0, kTranspose = 1 };
constexpr int kDefaultMath = 0, kTf32Math = 3;

using Create = Status (*)(Handle*);
using Destroy = Status (*)(Handle);
using GetVersion = Status (*)(Handle, int*);
using SetStream = Status (*)(Handle, cudaStream_t);
using SetWorkspace = Status (*)(Handle, void*, size_t);
using SetMathMode = Status (*)(Handle, int);
using StatusName = const char* (*)(Status);
template <class T, class Int>
using Gemm = Status (*)(Handle, Operation, Operation, Int m, Int n, Int k, const T* alpha, const T* a, Int lda,
                        long long stride_a, const T* b, Int ldb, long long stride_b, const T* beta, T* c, Int ldc,
                        long long stride_c, Int batch);

class Library final : public Cublas {
 public:
  // Throws what is missing or fails.
  Library(void* library, const std::string& path, cudaStream_t stream, void* room, int64_t bytes, bool tf32)
      : library_(library) {
    try {
      prepare(path, stream, room, bytes, tf32);
    } catch (...) {
      close();
      throw;
    }
  }
  ~Library() override { close(); }

  bool run(const Product<float>& p) override { return run(p, f32_, f32_long_, "cublasSgemmStridedBatched"); }
  bool run(const Product<double>& p) override { return run(p, f64_, f64_long_, "cublasDgemmStridedBatched"); }
  const std::string& describe() const override { return description_; }

 private:
  template <class Function>
  Function find(const char* name) const {
    return reinterpret_cast<Function>(dlsym(library_, name));
  }
  template <class Function>
  Function need(const char* name) const {
    const Function function = find<Function>(name);
    if (function == nullptr) fail(KPFLOW_UNAVAILABLE, "it has no function %s", name);
    return function;
  }
  void require(Status status, const char* call) const {
    if (status == 0) return;
    const auto name = find<StatusName>("cublasGetStatusName");
    fail(status == 3 ? KPFLOW_OUT_OF_MEMORY : KPFLOW_INTERNAL, "%s: %s (%d)", call,
         name != nullptr ? name(status) : "error", status);
  }

  void prepare(const std::string& path, cudaStream_t stream, void* room, int64_t bytes, bool tf32) {
    const auto create = need<Create>("cublasCreate_v2");
    const auto version = need<GetVersion>("cublasGetVersion_v2");
    const auto set_stream = need<SetStream>("cublasSetStream_v2");
    const auto set_workspace = need<SetWorkspace>("cublasSetWorkspace_v2");
    const auto set_math = need<SetMathMode>("cublasSetMathMode");
    destroy_ = need<Destroy>("cublasDestroy_v2");
    f32_ = need<Gemm<float, int>>("cublasSgemmStridedBatched");
    f64_ = need<Gemm<double, int>>("cublasDgemmStridedBatched");
    f32_long_ = find<Gemm<float, int64_t>>("cublasSgemmStridedBatched_64");
    f64_long_ = find<Gemm<double, int64_t>>("cublasDgemmStridedBatched_64");
    require(create(&handle_), "cublasCreate");
    int number = 0;
    require(version(handle_, &number), "cublasGetVersion");
    const int digits = number >= 100000 ? 10000 : 1000;  // 130100 is 13.1.0, 11805 would be 11.8.5
    if (number / digits < 12) fail(KPFLOW_UNAVAILABLE, "expected version 12 or later, got %d", number);
    require(set_stream(handle_, stream), "cublasSetStream");  // which resets the workspace
    require(set_workspace(handle_, room, static_cast<size_t>(bytes)), "cublasSetWorkspace");
    require(set_math(handle_, tf32 ? kTf32Math : kDefaultMath), "cublasSetMathMode");
    description_ = "cuBLAS " + std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." +
                   std::to_string(number % 100) + " (" + path + (tf32 ? ", f32 by TF32)" : ")");
  }
  void close() noexcept {
    if (handle_ != nullptr) destroy_(handle_);
    dlclose(library_);
  }

  // Row-major C = A B is column-major C^T = B^T A^T: the operands change places.
  template <class T, class Int>
  void call(const Product<T>& p, Gemm<T, Int> gemm, const char* name) const {
    const auto narrow = [](int64_t size) { return static_cast<Int>(size); };
    require(gemm(handle_, p.transpose_b ? kTranspose : kNone, p.transpose_a ? kTranspose : kNone, narrow(p.n),
                 narrow(p.m), narrow(p.k), &p.alpha, p.b, narrow(p.ldb), p.stride_b, p.a, narrow(p.lda), p.stride_a,
                 &p.beta, p.c, narrow(p.ldc), p.stride_c, narrow(p.batch)),
            name);
  }

  template <class T>
  bool run(const Product<T>& p, Gemm<T, int> gemm, Gemm<T, int64_t> gemm_long, const char* name) const {
    const int64_t row_a = p.transpose_a ? p.m : p.k, row_b = p.transpose_b ? p.k : p.n;
    if (p.k == 0 || p.lda < row_a || p.ldb < row_b || p.ldc < p.n) return false;
    if (std::max({p.m, p.n, p.k, p.lda, p.ldb, p.ldc, p.batch}) <= INT_MAX) {
      call(p, gemm, name);
    } else if (gemm_long != nullptr) {
      call(p, gemm_long, name);
    } else {
      return false;
    }
    return true;
  }

  void* library_;
  Handle handle_ = nullptr;
  Destroy destroy_ = nullptr;
  Gemm<float, int> f32_ = nullptr;
  Gemm<double, int> f64_ = nullptr;
  Gemm<float, int64_t> f32_long_ = nullptr;
  Gemm<double, int64_t> f64_long_ = nullptr;
  std::string description_;
};

// Where to look: where the system's loader does (LD_LIBRARY_PATH, its cache), then in a toolkit.
std::vector<std::string> places() {
  const char* chosen = std::getenv("KPFLOW_CUBLAS");
  if (chosen != nullptr && *chosen != 0) return {chosen};
  std::vector<std::string> list;
#ifndef KPFLOW_EMULATED  // a real cuBLAS knows no emulated card
  for (const char* name : {"libcublas.so.13", "libcublas.so.12"}) {
    list.emplace_back(name);
    for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
      const char* home = std::getenv(variable);
      if (home != nullptr && *home != 0) list.push_back(std::string(home) + "/lib64/" + name);
    }
    list.push_back(std::string("/usr/local/cuda/lib64/") + name);
  }
#endif
  return list;
}

}  // namespace

std::unique_ptr<Cublas> Cublas::open(cudaStream_t stream, void* room, int64_t bytes, bool tf32, std::string& why) {
  why = "none to look for";
  bool loaded = false;  // then why tells of the library that did not do
  for (const std::string& path : places()) {
    // It stays loaded: that takes long, and contexts come and go.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
      const char* error = dlerror();
      if (!loaded) why = error != nullptr ? error : path + " cannot be loaded";
      continue;
    }
    try {
      return std::make_unique<Library>(library, path, stream, room, bytes, tf32);
    } catch (const Error& error) {
      why = path + ": " + error.what();
      loaded = true;
    }
  }
  return nullptr;
}

}  // namespace kpflow::cuda
