/*
 * kpflow_native_bench: rates of the engine on one device, through its C ABI. Calls return when their results are there, so a
 * wall clock around a call is its time; each rate is that of the median of many calls after two that warm up. The work is that of
 * the matrix products alone, with g gate blocks, k = B T rows and s probes:
 *
 *   sweep of P, P*             2 g H^2 k s          one product with W_hh per step
 *   pull and push of D_theta   2 g H (H + n_in) k s each, the gradients of the weights and what they move
 *   P, P*      a sweep
 *   K          pull, push
 *   NTK        sweep, pull, push, sweep
 *   linearize  2 g H (H + n_in) k                   the forward pass
 *   train      linearize, then P* and pull of one probe; readout, loss and Adam are not counted
 *   GEMM       2 B s g H^2                          the product of one step of a sweep
 *   Lanczos    2 m n and 2 k m n for m vectors of n = B T H numbers: products with a vector, and their k combinations
 */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>

#include "memory.hpp"

using namespace kpflow_bench;

namespace {

constexpr const char* kUsage =
    "kpflow_native_bench [--device cpu|cuda] [--cell gru] [--hidden N] [--trials B] [--steps T] [--inputs n]\n"
    "                    [--probes s] [--dtype f32|f64] [--repeat N] [--threads N] [--json FILE] [--arrays FOLDER]\n"
    "Rates in TFLOP/s. --arrays writes weights, inputs, the first two probes and what the NTK makes of them as .npy, "
    "for\n"
    "other programs to do the same with.\n";

struct Options {
  int32_t device = KPFLOW_CPU, dtype = KPFLOW_F32;
  std::string cell = "gru", json, arrays;
  int64_t hidden = 256, trials = 500, steps = 90, inputs = 3, probes = 16, repeat = 11,
          threads = kpflow_available_cores();
};

struct Rate {
  const char* name;
  double seconds, flop;
};

constexpr int64_t kOutputs = 3, kVectors = 24, kKept = 12, kWritten = 2;

class Benchmark {
 public:
  explicit Benchmark(const Options& o) : o_(o) {
    require(kpflow_context_create(o.device, static_cast<int32_t>(std::min<int64_t>(o.threads, 256)), &context_),
            "context_create");
    int32_t components = 0;
    require(kpflow_cell_shape(o.cell.c_str(), &gates_, &components), "cell_shape");
    rows_ = o.trials * o.steps;
    units_ = components * o.hidden;
    size_ = rows_ * units_;
    const int64_t width = gates_ * o.hidden;
    sizes_ = {width * o.inputs, width * o.hidden, width, width};
    parameters_ = sizes_[0] + sizes_[1] + 2 * width;
    const double scale = 1 / std::sqrt(static_cast<double>(o.hidden));
    theta_ = array(parameters_);
    theta_->fill(1, scale);
    input_ = array(rows_ * o.inputs);
    input_->fill(2, 1);
    layer_ = {15,
              0,
              theta_->data(),
              theta_->at(sizes_[0]),
              theta_->at(sizes_[0] + sizes_[1]),
              theta_->at(parameters_ - width),
              nullptr,
              nullptr,
              nullptr};
    model_ = {o.cell.c_str(), 0.1,     o.dtype, 0, 0, 0, o.trials, o.steps, o.inputs, o.hidden, 1, &layer_,
              input_->data(), nullptr, nullptr};
    require(kpflow_recurrent_linearize(context_, &model_, nullptr, &linearization_), "linearize");
  }
  ~Benchmark() {
    kpflow_linearization_destroy(linearization_);
    theta_.reset();
    input_.reset();
    kpflow_context_destroy(context_);
  }
  Benchmark(const Benchmark&) = delete;
  Benchmark& operator=(const Benchmark&) = delete;

  const std::vector<Rate>& run() {
    operators();
    lanczos();
    gemm();
    train();  // last, since it changes the weights
    return rates_;
  }

 private:
  std::unique_ptr<Array> array(int64_t count) const {
    return std::make_unique<Array>(o_.device, context_, o_.dtype, count);
  }
  double g() const { return gates_; }
  double H() const { return static_cast<double>(o_.hidden); }
  double sweep(double s) const { return 2 * g() * H() * H() * static_cast<double>(rows_) * s; }
  double pull(double s) const {
    return 2 * g() * H() * (H() + static_cast<double>(o_.inputs)) * static_cast<double>(rows_) * s;
  }

  // The median of `repeat` calls; out is poisoned before each and checked after it.
  void measure(const char* name, double flop, const Array* out, const std::function<void()>& call) {
    std::vector<double> seconds;
    for (int64_t i = -2; i < o_.repeat; ++i) {
      if (out != nullptr) out->poison();
      const auto start = std::chrono::steady_clock::now();
      call();
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      if (out != nullptr) out->require_finite(name);
      if (i >= 0) seconds.push_back(taken.count());
    }
    std::sort(seconds.begin(), seconds.end());
    const size_t half = seconds.size() / 2;
    const double median = seconds.size() % 2 == 1 ? seconds[half] : (seconds[half - 1] + seconds[half]) / 2;
    rates_.push_back({name, median, flop});
    std::printf("%-12s %12.6f s %12.3f TFLOP/s\n", name, median, flop / median / 1e12);
    std::fflush(stdout);
  }

  void operators() {
    const auto s = static_cast<double>(o_.probes);
    const auto x = array(o_.probes * size_), y = array(o_.probes * size_);
    x->fill(3, 1);
    const auto apply = [&](const char* name, int32_t op, int32_t adjoint, double flop) {
      measure(name, flop, y.get(), [&] {
        require(kpflow_linearization_apply(linearization_, op, 0, adjoint, o_.probes, x->data(), y->data(), nullptr),
                name);
      });
    };
    apply("P", KPFLOW_P, 0, sweep(s));
    apply("P*", KPFLOW_P, 1, sweep(s));
    apply("K", KPFLOW_K, 0, 2 * pull(s));
    apply("NTK", KPFLOW_NTK, 0, 2 * sweep(s) + 2 * pull(s));
    if (!o_.arrays.empty()) write_arrays(*x, *y);
  }

  void lanczos() {
    const auto basis = array(kVectors * size_), x = array(size_);
    basis->fill(4, 1);
    x->fill(5, 1);
    std::vector<double> products(kVectors), coefficients(kKept * kVectors, 0.1);
    const auto n = static_cast<double>(size_);
    measure("Lanczos V x", 2.0 * kVectors * n, nullptr, [&] {
      require(kpflow_row_products(context_, o_.dtype, kVectors, 1, size_, basis->data(), x->data(), products.data()),
              "row_products");
    });
    measure("Lanczos C V", 2.0 * kKept * kVectors * n, nullptr, [&] {
      require(kpflow_combine_rows(context_, o_.dtype, kKept, kVectors, size_, coefficients.data(), basis->data()),
              "combine_rows");
    });
    basis->require_finite("Lanczos C V");
  }

  void gemm() {
    const int64_t m = o_.trials * o_.probes, n = gates_ * o_.hidden;
    const auto a = array(m * o_.hidden), c = array(m * n);
    a->fill(6, 1);
    measure("GEMM", 2.0 * static_cast<double>(m) * static_cast<double>(n) * H(), c.get(), [&] {
      require(kpflow_gemm(context_, o_.dtype, 0, 1, m, n, o_.hidden, 1, a->data(), layer_.weight_hh, 0, c->data()),
              "gemm");
    });
  }

  void linearize() { require(kpflow_recurrent_relinearize(linearization_, &model_, nullptr), "relinearize"); }

  void train() {
    const auto state = array(size_), slope = array(size_), y = array(rows_ * kOutputs),
               targets = array(rows_ * kOutputs), weight = array(kOutputs * o_.hidden), bias = array(kOutputs),
               weight_slope = array(kOutputs * o_.hidden), bias_slope = array(kOutputs), gradient = array(parameters_),
               m = array(parameters_), v = array(parameters_);
    targets->fill(7, 1);
    weight->fill(8, 1 / std::sqrt(H()));
    const kpflow_readout readout{o_.dtype, 0, rows_, units_, 0, o_.hidden, kOutputs, weight->data(), bias->data()};
    measure("linearize", pull(1), nullptr, [&] { linearize(); });
    int64_t step = 0;
    measure("train", 2 * pull(1) + sweep(1), gradient.get(), [&] {
      double loss = 0;
      linearize();
      require(kpflow_linearization_state(linearization_, state->data()), "state");
      require(kpflow_readout_apply(context_, &readout, state->data(), y->data()), "readout_apply");
      require(
          kpflow_mean_squared_error(context_, o_.dtype, rows_, kOutputs, y->data(), targets->data(), nullptr, &loss),
          "mean_squared_error");
      require(kpflow_readout_gradient(context_, &readout, state->data(), y->data(), weight_slope->data(),
                                      bias_slope->data()),
              "readout_gradient");
      require(kpflow_readout_adjoint(context_, &readout, y->data(), slope->data()), "readout_adjoint");
      require(kpflow_linearization_apply(linearization_, KPFLOW_J, 0, 1, 1, slope->data(), gradient->data(), nullptr),
              "J*");
      require(kpflow_adam_step(context_, o_.dtype, parameters_, ++step, 1e-3, 0.9, 0.999, 1e-8, gradient->data(),
                               m->data(), v->data(), theta_->data()),
              "adam_step");
    });
  }

  void write_arrays(const Array& x, const Array& y) const {
    const int64_t width = gates_ * o_.hidden, count = std::min(kWritten, o_.probes);
    const std::vector<char> theta = theta_->read(parameters_);
    const char* at = theta.data();
    const std::vector<std::vector<int64_t>> shapes = {{width, o_.inputs}, {width, o_.hidden}, {width}, {width}};
    const char* names[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    for (size_t i = 0; i < shapes.size(); ++i) {
      write_npy(names[i], shapes[i], at);
      at += sizes_[i] * theta_->element();
    }
    write_npy("x", {o_.trials, o_.steps, o_.inputs}, input_->read(input_->count()).data());
    write_npy("probe", {count, o_.trials, o_.steps, units_}, x.read(count * size_).data());
    write_npy("ntk", {count, o_.trials, o_.steps, units_}, y.read(count * size_).data());
  }

  void write_npy(const std::string& name, const std::vector<int64_t>& shape, const char* data) const {
    const int64_t element = o_.dtype == KPFLOW_F32 ? 4 : 8;
    std::string sizes;
    int64_t bytes = element;
    for (const int64_t size : shape) {
      sizes += std::to_string(size) + ",";
      bytes *= size;
    }
    std::string header =
        "{'descr': '<f" + std::to_string(element) + "', 'fortran_order': False, 'shape': (" + sizes + "), }";
    header.resize((header.size() + 11 + 63) / 64 * 64 - 11, ' ');  // the data begins at a multiple of 64
    header += '\n';
    const std::string path = o_.arrays + "/" + name + ".npy";
    std::ofstream file(path, std::ios::binary);
    const char length[] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    file.write("\x93NUMPY\x01\x00", 8).write(length, 2) << header;
    file.write(data, bytes);
    if (!file.flush()) throw std::runtime_error(path + ": cannot be written");
  }

  const Options& o_;
  kpflow_context* context_ = nullptr;
  kpflow_linearization* linearization_ = nullptr;
  int32_t gates_ = 0;
  int64_t rows_ = 0, units_ = 0, size_ = 0, parameters_ = 0;
  std::vector<int64_t> sizes_;
  std::unique_ptr<Array> theta_, input_;
  kpflow_layer layer_{};
  kpflow_recurrent model_{};
  std::vector<Rate> rates_;
};

void write_json(const Options& o, const std::string& info, const std::vector<Rate>& rates) {
  std::ofstream file(o.json);
  file << "{\n  \"device\": \"" << info << "\",\n  \"cell\": \"" << o.cell << "\",\n  \"dtype\": \""
       << (o.dtype == KPFLOW_F32 ? "f32" : "f64") << "\",\n  \"H\": " << o.hidden << ", \"B\": " << o.trials
       << ", \"T\": " << o.steps << ", \"n_in\": " << o.inputs << ", \"s\": " << o.probes
       << ", \"repeat\": " << o.repeat << ",\n  \"rates\": {\n";
  for (size_t i = 0; i < rates.size(); ++i) {
    file << "    \"" << rates[i].name << "\": {\"seconds\": " << rates[i].seconds << ", \"flop\": " << rates[i].flop
         << ", \"tflops\": " << rates[i].flop / rates[i].seconds / 1e12 << "}" << (i + 1 < rates.size() ? "," : "")
         << "\n";
  }
  file << "  }\n}\n";
  if (!file.flush()) throw std::runtime_error(o.json + ": cannot be written");
}

[[noreturn]] void refuse(const std::string& argument) {
  std::fprintf(stderr, "%s: not an option, or a wrong value\n%s", argument.c_str(), kUsage);
  std::exit(2);
}

Options parse(int count, char** arguments) {
  Options o;
  const std::vector<std::pair<const char*, int64_t*>> numbers = {
      {"--hidden", &o.hidden}, {"--trials", &o.trials}, {"--steps", &o.steps},    {"--inputs", &o.inputs},
      {"--probes", &o.probes}, {"--repeat", &o.repeat}, {"--threads", &o.threads}};
  for (int i = 1; i < count; i += 2) {
    const std::string name = arguments[i];
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (i + 1 == count) refuse(name);
    const std::string value = arguments[i + 1];
    const auto number =
        std::find_if(numbers.begin(), numbers.end(), [&](const auto& known) { return name == known.first; });
    const auto choice = [&](const char* first, int32_t a, const char* second, int32_t b) {
      if (value != first && value != second) refuse(name + " " + value);
      return value == first ? a : b;
    };
    if (number != numbers.end()) {
      *number->second = std::atoll(value.c_str());
      if (*number->second < 1) refuse(name + " " + value);
    } else if (name == "--device") {
      o.device = choice("cpu", KPFLOW_CPU, "cuda", KPFLOW_CUDA);
    } else if (name == "--dtype") {
      o.dtype = choice("f32", KPFLOW_F32, "f64", KPFLOW_F64);
    } else if (name == "--cell") {
      o.cell = value;
    } else if (name == "--json") {
      o.json = value;
    } else if (name == "--arrays") {
      o.arrays = value;
    } else {
      refuse(name);
    }
  }
  return o;
}

}  // namespace

int main(int count, char** arguments) {
  const Options options = parse(count, arguments);
  try {
    const char* info = kpflow_device_info(options.device);
    if (info == nullptr) throw std::runtime_error(kpflow_last_error());
    const std::string device = info;
    std::printf("%s, %s %s H=%lld B=%lld T=%lld n_in=%lld s=%lld, median of %lld\n", device.c_str(),
                options.cell.c_str(), options.dtype == KPFLOW_F32 ? "f32" : "f64",
                static_cast<long long>(options.hidden), static_cast<long long>(options.trials),
                static_cast<long long>(options.steps), static_cast<long long>(options.inputs),
                static_cast<long long>(options.probes), static_cast<long long>(options.repeat));
    Benchmark benchmark(options);
    const std::vector<Rate>& rates = benchmark.run();
    if (!options.json.empty()) write_json(options, device, rates);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kpflow_native_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
