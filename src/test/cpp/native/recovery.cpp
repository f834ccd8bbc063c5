// Calls that fail on their way, and what the next ones give.
#include <cmath>
#include <cstdlib>

#include "parts.hpp"
#include "random_models.hpp"

namespace kpflow_test {

namespace {

// A variable of the environment, for as long as this lives.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) {
    const char* before = std::getenv(name);
    before_ = before != nullptr ? before : "";
    setenv(name, value, 1);
  }
  ~Setting() { setenv(name_, before_.c_str(), 1); }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  std::string before_;
};

constexpr int kRuns = 3;  // a sweep is recorded in its second run and replayed in its third

// Blocks of one model's P or P*, always the same arrays, against the CPU.
class Sweep {
 public:
  Sweep(const Linearization& l, const Linearization& truth, bool adjoint, int64_t probes)
      : l_(l),
        adjoint_(adjoint),
        probes_(probes),
        x_(Random(7).values(probes * l.state_size())),
        truth_(truth.apply(KPFLOW_P, x_, adjoint)),
        in_(l.machine(), KPFLOW_F64, x_),
        out_(l.machine(), KPFLOW_F64, probes * l.state_size()) {}

  int32_t run() const {
    return kpflow_linearization_apply(l_.handle(), KPFLOW_P, 0, adjoint_, probes_, in_.data(), out_.data(), nullptr);
  }
  void check(const char* name, Checks& checks) {
    for (int i = 0; i < kRuns; ++i) {
      out_.write(Values(truth_.size(), NAN));
      require(run(), name);
      checks.close(text("%s, P%s", name, adjoint_ ? "*" : ""), out_.read(), truth_, 1e-12);
    }
  }

 private:
  const Linearization& l_;
  bool adjoint_;
  int64_t probes_;
  Values x_, truth_;
  Buffer in_, out_;
};

// A sweep that finds too little memory leaves nothing behind: neither one that was recorded before, nor its own next run, reads
// memory that is gone.
void lack_of_memory(const Machine& machine, const Machine& cpu, Checks& checks) {
  constexpr int64_t kMost = int64_t{1} << 30, kLeft = int64_t{1} << 16;
  const int32_t device = machine.device();
  if (kpflow_available_memory(device) > kMost) return checks.skip("more memory than is worth filling");
  const Setting batched("KPFLOW_CUDA_SWEEP", "batched");
  const Model model = random_recurrent("gru", RecurrentSizes(), 5);
  const Linearization truth(cpu, model, KPFLOW_F64);
  for (const bool adjoint : {false, true}) {
    const Machine fresh(device, 1);  // whose memory has not grown yet
    const Linearization l(fresh, model, KPFLOW_F64);
    Sweep few(l, truth, adjoint, 2), many(l, truth, adjoint, 400);
    few.check("before", checks);
    void* rest = kpflow_buffer_allocate(device, kpflow_available_memory(device) - kLeft);
    checks.expect(rest != nullptr, "the rest of the memory", kpflow_last_error());
    checks.expect(many.run() == KPFLOW_OUT_OF_MEMORY, "a sweep without memory", kpflow_last_error());
    kpflow_buffer_free(device, rest);
    few.check("one that fits, afterwards", checks);
    many.check("the same with memory", checks);
    few.check("one that fits, again", checks);
  }
}

// Where sweeps cannot be recorded they run all the same.
void no_recording(const Machine& machine, const Machine& cpu, Checks& checks) {
  const Setting batched("KPFLOW_CUDA_SWEEP", "batched");
  for (const char* cell : {"gru", "lstm"}) {
    const Model model = random_recurrent(cell, RecurrentSizes(), 5);
    const Linearization l(machine, model, KPFLOW_F64), truth(cpu, model, KPFLOW_F64);
    for (const bool adjoint : {false, true}) {
      Sweep sweep(l, truth, adjoint, 3), other(l, truth, adjoint, 3);
      {
        const Setting refused("KPFLOW_EMULATION_CAPTURE", "0");
        sweep.check("not recorded", checks);
      }
      sweep.check("tried once", checks);
      other.check("recorded", checks);
    }
  }
}

// A call that was cancelled is over when it returns, and the next one is right.
void cancelled(const Machine& machine, const Machine& cpu, Checks& checks) {
  std::vector<Model> models = {random_recurrent("gru", RecurrentSizes(), 5)};
  for (const Model& model : random_models({"", true, 1})) {
    if (model.is_graph() && models.size() == 1) models.push_back(model);
  }
  for (const Model& model : models) {
    const Linearization l(machine, model, KPFLOW_F64), truth(cpu, model, KPFLOW_F64);
    for (const OperatorName& named : operators()) {
      for (const bool adjoint : {false, true}) {
        const Values x = Random(8).values(3 * l.domain(named.op, 0, adjoint));
        const Values expected = truth.apply(named.op, x, adjoint);
        {
          const Buffer in(machine, KPFLOW_F64, x), out(machine, KPFLOW_F64, static_cast<int64_t>(expected.size()));
          kpflow_monitor monitor{1, 0, 0};
          const int32_t status =
              kpflow_linearization_apply(l.handle(), named.op, 0, adjoint, 3, in.data(), out.data(), &monitor);
          checks.expect(status == KPFLOW_CANCELLED, text("%s cancelled", named.name), text("status %d", status));
        }
        checks.close(text("%s after it was cancelled", named.name), l.apply(named.op, x, adjoint), expected, 1e-11);
      }
    }
  }
}

}  // namespace

void test_recovery(const Machine& machine, const Options& options, Checks& checks) {
  const Machine cpu(KPFLOW_CPU, options.threads);
  const auto group = [&](const char* name, auto test) {
    checks.group(text("%s %s", machine.name(), name), [&] { test(machine, cpu, checks); });
  };
  group("goes on after too little memory", lack_of_memory);
  group("goes on where nothing is recorded", no_recording);
  group("goes on after a cancelled call", cancelled);
}

}  // namespace kpflow_test
