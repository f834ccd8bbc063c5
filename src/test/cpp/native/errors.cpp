// What is refused, and that the refusal is a status and one line that says what was wrong.
#include <cctype>
#include <cmath>
#include <cstring>

#include "parts.hpp"
#include "random_models.hpp"

namespace kpflow_test {

namespace {

constexpr int64_t kHuge = int64_t{1} << 60;

class ErrorTest {
 public:
  ErrorTest(const Machine& machine, Checks& checks)
      : machine_(machine),
        context_(machine.context()),
        checks_(checks),
        linearization_(machine, random_recurrent("gru", RecurrentSizes(), 1), KPFLOW_F64),
        x_(machine, KPFLOW_F64, Values(static_cast<size_t>(linearization_.state_size()), 1.0)),
        y_(machine, KPFLOW_F64, linearization_.state_size()) {}

  // Each call fails with the status and a message that has the word in it; nothing is written.
  void arguments() {
    const int64_t one[] = {1};
    invalid("context", kpflow_axpby(nullptr, KPFLOW_F64, 1, 1, x_.data(), 0, y_.data()));
    invalid("dtype", kpflow_axpby(context_, 7, 1, 1, x_.data(), 0, y_.data()));
    invalid("x", kpflow_axpby(context_, KPFLOW_F64, -1, 1, x_.data(), 0, y_.data()));
    invalid("y", kpflow_axpby(context_, KPFLOW_F64, 1, 1, x_.data(), 0, nullptr));
    invalid("out", kpflow_dot(context_, KPFLOW_F64, 1, 1, x_.data(), x_.data(), nullptr));
    invalid("", kpflow_gemm(context_, KPFLOW_F64, 0, 0, kHuge, kHuge, kHuge, 1, x_.data(), x_.data(), 0, y_.data()));
    invalid("a", kpflow_gemm(context_, KPFLOW_F64, 0, 0, 1, 1, 1, 1, nullptr, x_.data(), 0, y_.data()));
    invalid("combine", kpflow_combine_rows(context_, KPFLOW_F64, 2, 1, 1, nullptr, y_.data()));
    invalid("axes",
            kpflow_strided_axpby(context_, 9, one, 1, KPFLOW_F64, x_.data(), 1, one, 0, KPFLOW_F64, y_.data(), 1, one));
    const int64_t five[] = {5};
    invalid("strides", kpflow_strided_axpby(context_, 1, five, 1, KPFLOW_F64, x_.data(), 4, one, 0, KPFLOW_F64,
                                            y_.data(), 5, one));
    invalid("keep", kpflow_accumulate_gram(context_, KPFLOW_F64, 1, 1, 1, 1, x_.data(), 0, 1, y_.data(), nullptr));
    invalid("keep", kpflow_accumulate_gram(context_, KPFLOW_F64, 1, 1, 1, 1, x_.data(), 8, 1, y_.data(), nullptr));
    invalid("distribution", kpflow_fill_random(context_, KPFLOW_F64, 3, 0, 0, 1, y_.data()));
    invalid("offset", kpflow_fill_random(context_, KPFLOW_F64, 0, 0, -1, 1, y_.data()));
    const int64_t outside[] = {1}, two[] = {2};
    invalid("unit 0", kpflow_unit_combine(context_, KPFLOW_F64, 1, 1, 1, 1, 1, 2, outside, two, x_.data(), 1, x_.data(),
                                          0, y_.data(), nullptr));
    invalid("", kpflow_orthonormalize(context_, KPFLOW_F64, 3, 2, y_.data()));
    kpflow_context* none = nullptr;
    invalid("threads", kpflow_context_create(machine_.device(), 0, &none));
    invalid("device", kpflow_context_create(17, 1, &none));
    checks_.expect(none == nullptr, "a refused context", "was written");
    checks_.expect(kpflow_device_info(17) == nullptr, "info of no device", "not NULL");
    checks_.expect(std::isnan(y_.read()[0]), "outputs of refused calls", "were written");
  }

  void training() {
    kpflow_readout readout{KPFLOW_F64, 0, 1, 3, 2, 2, 1, x_.data(), nullptr};
    invalid("begin", kpflow_readout_apply(context_, &readout, x_.data(), y_.data()));
    readout.begin = 0;
    readout.weight = nullptr;
    invalid("weight", kpflow_readout_apply(context_, &readout, x_.data(), y_.data()));
    double loss = 0;
    invalid("rows", kpflow_mean_squared_error(context_, KPFLOW_F64, 0, 1, y_.data(), x_.data(), nullptr, &loss));
    const Buffer half(machine_, KPFLOW_F64, Values{0.5}), zero(machine_, KPFLOW_F64, Values{0});
    const Buffer y(machine_, KPFLOW_F64, Values{1});
    invalid("mask", kpflow_mean_squared_error(context_, KPFLOW_F64, 1, 1, y.data(), x_.data(), half.data(), &loss));
    invalid("mask", kpflow_mean_squared_error(context_, KPFLOW_F64, 1, 1, y.data(), x_.data(), zero.data(), &loss));
    invalid("limit", kpflow_clamp(context_, KPFLOW_F64, 1, -1, y_.data()));
    void* out = y_.data();
    invalid("step", kpflow_adam_step(context_, KPFLOW_F64, 1, 0, 1, 0.9, 0.9, 1, x_.data(), out, out, out));
    invalid("beta1", kpflow_adam_step(context_, KPFLOW_F64, 1, 1, 1, 1, 0.9, 1, x_.data(), out, out, out));
    invalid("rate", kpflow_adam_step(context_, KPFLOW_F64, 1, 1, NAN, 0.9, 0.9, 1, x_.data(), out, out, out));
    invalid("root", kpflow_inverse_root(context_, 1, x_.data(), 3, 1, out));
    invalid("floor", kpflow_inverse_root(context_, 1, x_.data(), 2, 0, out));
  }

  void linearizations() {
    kpflow_linearization* l = linearization_.handle();
    const auto apply = [&](int32_t op, int32_t family, int64_t s, const void* in, void* out) {
      return kpflow_linearization_apply(l, op, family, 0, s, in, out, nullptr);
    };
    invalid("operator", apply(KPFLOW_OPERATORS, 0, 1, x_.data(), y_.data()));
    invalid("family", apply(KPFLOW_CORE, 4, 1, x_.data(), y_.data()));
    invalid("s", apply(KPFLOW_P, 0, -1, x_.data(), y_.data()));
    invalid("in", apply(KPFLOW_P, 0, 1, nullptr, y_.data()));
    invalid("out", apply(KPFLOW_P, 0, 1, x_.data(), x_.data()));
    invalid("steps", kpflow_linearization_step_jacobians(l, 3, 5, y_.data()));
    double value = 0;
    invalid("exponents", kpflow_linearization_lyapunov(l, 34, &value, &value, nullptr));
    invalid("linearization", kpflow_linearization_state(nullptr, y_.data()));
    invalid("layer", kpflow_linearization_layer(l, 1, &scratch_));
    checks_.expect(apply(KPFLOW_P, 0, 0, nullptr, nullptr) == KPFLOW_OK, "no probes at all", kpflow_last_error());
    kpflow_monitor counted{0, 0, 0};
    checks_.expect(kpflow_linearization_apply(l, KPFLOW_NTK, 0, 0, 1, x_.data(), y_.data(), &counted) == KPFLOW_OK &&
                       counted.done > 0,
                   "steps counted", "none");
    kpflow_monitor monitor{1, 0, 0};
    status("cancelled application", KPFLOW_CANCELLED, "",
           kpflow_linearization_apply(l, KPFLOW_NTK, 0, 0, 1, x_.data(), y_.data(), &monitor));

    kpflow_eigsh_options options{3, 2, 10, 0, KPFLOW_LA, 0};
    Values values(3), residuals(3);
    kpflow_eigsh_info info{};
    invalid("", kpflow_eigsh(context_, KPFLOW_F64, linearization_.state_size(), l, KPFLOW_NTK, nullptr, nullptr,
                             &options, x_.data(), values.data(), y_.data(), residuals.data(), &info, nullptr));
    options.basis = 20;
    invalid("", kpflow_eigsh(context_, KPFLOW_F32, linearization_.state_size(), l, KPFLOW_NTK, nullptr, nullptr,
                             &options, x_.data(), values.data(), y_.data(), residuals.data(), &info, nullptr));
  }

  void models() {
    const RecurrentSizes sizes;
    const Model gru = random_recurrent("gru", sizes, 1);
    refused("cell", gru, [](Model& model) { model.cell = "grü"; });
    refused("", gru, [](Model& model) { model.layers[0].weight_hh.clear(); });
    refused("", gru, [](Model& model) { model.input.clear(); });
    refused("", gru, [](Model& model) { model.trials = 0; });
    refused("", gru, [](Model& model) { model.layers[0].bias_ih.clear(); });  // trainable, and missing
    refused("", gru, [](Model& model) { model.trials = kHuge; });
    Model diverging = random_recurrent("rnn_linear", sizes, 2);
    for (double& value : diverging.layers[0].weight_hh) value = 1e300;
    status("a state that overflows", KPFLOW_NUMERICAL, "", linearize(diverging));
    status("a state of NaN", KPFLOW_NUMERICAL, "", [&] {
      Model poisoned = gru;
      poisoned.input[5] = NAN;
      return linearize(poisoned);
    }());
    Model graph;
    for (const Model& model : random_models({"", true, 1})) graph = model.is_graph() ? model : graph;
    refused("node 0", graph, [](Model& model) { model.nodes[0].node.inputs[0] = 3; });
    refused("node 0", graph, [](Model& model) { model.nodes[0].node.kind = 9; });
    refused("heads", graph, [](Model& model) { model.nodes[5].node.heads = 5; });
    refused("epsilon", graph, [](Model& model) { model.nodes[1].node.epsilon = 0; });
    refused("weight", graph, [](Model& model) { model.nodes[0].weight.clear(); });
  }

  // More memory than there is: the message says how much.
  void memory() {
    checks_.expect(kpflow_buffer_allocate(machine_.device(), int64_t{1} << 52) == nullptr, "2^52 bytes", "were given");
    numbers("an array that does not fit");
    invalid("bytes", kpflow_buffer_allocate(machine_.device(), -1) == nullptr ? KPFLOW_INVALID_ARGUMENT : KPFLOW_OK);
    checks_.expect(kpflow_available_memory(machine_.device()) != 0, "available memory", "none");
    // The arrays of the description are checked before any of them is read.
    Model large = random_recurrent("gru", RecurrentSizes(), 1);
    large.trials = int64_t{1} << 24;
    large.steps = int64_t{1} << 20;
    status("a model that does not fit", KPFLOW_OUT_OF_MEMORY, "", linearize(large));
    numbers("a model that does not fit");
  }

  // Memory of the caller where the device's is expected; only a GPU can tell.
  void host_pointers() {
    Values host(static_cast<size_t>(linearization_.state_size()), 1.0);
    invalid("x", kpflow_axpby(context_, KPFLOW_F64, 1, 1, host.data(), 0, y_.data()));
    invalid("y", kpflow_axpby(context_, KPFLOW_F64, 1, 1, x_.data(), 0, host.data()));
    invalid("in",
            kpflow_linearization_apply(linearization_.handle(), KPFLOW_P, 0, 0, 1, host.data(), y_.data(), nullptr));
    invalid("out",
            kpflow_linearization_apply(linearization_.handle(), KPFLOW_P, 0, 0, 1, x_.data(), host.data(), nullptr));
    invalid("out", kpflow_linearization_state(linearization_.handle(), host.data()));
    invalid("out", kpflow_fill_random(context_, KPFLOW_F64, 0, 0, 0, 1, host.data()));
    checks_.expect(host == Values(host.size(), 1.0), "host memory", "was written");
  }

 private:
  void status(const std::string& name, int32_t expected, const char* word, int32_t found) {
    const std::string message = kpflow_last_error();
    checks_.expect(found == expected, name, text("status %d, expected %d: %s", found, expected, message.c_str()));
    checks_.expect(
        !message.empty() && message.find('\n') == std::string::npos && message.find(word) != std::string::npos,
        name + ", its message", "'" + message + "' has no '" + word + "'");
  }
  void invalid(const char* word, int32_t found) {
    status(text("a wrong argument (%s)", word), KPFLOW_INVALID_ARGUMENT, word, found);
  }
  void numbers(const char* name) {
    const std::string message = kpflow_last_error();
    bool digits = false;
    for (const char letter : message) digits = digits || std::isdigit(static_cast<unsigned char>(letter)) != 0;
    checks_.expect(digits, name, "no number in: " + message);
  }
  int32_t linearize(const Model& model) const { return Linearization::refusal(machine_, model, KPFLOW_F64); }
  template <class Change>
  void refused(const char* word, Model model, const Change& change) {
    change(model);
    invalid(word, linearize(model));
  }

  const Machine& machine_;
  kpflow_context* context_;
  Checks& checks_;
  Linearization linearization_;
  Buffer x_, y_;
  int64_t scratch_ = 0;
};

}  // namespace

void test_errors(const Machine& machine, const Options& options, Checks& checks) {
  const auto group = [&](const char* name, void (ErrorTest::*part)()) {
    checks.group(text("%s refuses %s", machine.name(), name), [&] { (ErrorTest(machine, checks).*part)(); });
  };
  group("wrong arguments", &ErrorTest::arguments);
  group("wrong arguments of training", &ErrorTest::training);
  group("wrong arguments of linearizations", &ErrorTest::linearizations);
  group("wrong models", &ErrorTest::models);
  group("what does not fit into memory", &ErrorTest::memory);
  if (machine.device() != KPFLOW_CPU) group("memory of the host", &ErrorTest::host_pointers);
  test_recovery(machine, options, checks);
}

}  // namespace kpflow_test
