package org.kpflow.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.DType;
import org.kpflow.io.Npy;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** 25 steps of every optimizer on a small GRU, against what PyTorch's autograd gave in float64. */
class TrainingReferenceTest {
  private static final Path FOLDER = Path.of("src/test/resources/training_small");
  private static final double GRADIENT_TOLERANCE = 1e-12;
  private static final double TOLERANCE = 1e-9;

  private final ExecutionContext context = ExecutionContext.shared();
  private long before;
  private Trials trials;
  private Network network;

  @BeforeEach
  void open() {
    before = Tensor.liveCount();
    trials = new Trials(read("inputs"), read("targets"), null);
    Map<String, Tensor> weights = new HashMap<>();
    for (String name : List.of("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")) {
      weights.put(name, read("init_rnn." + name));
    }
    try (Tensor weight = read("init_Wout.weight");
        Tensor bias = read("init_Wout.bias")) {
      Gru gru = new Gru(weights, ModelOptions.of(DType.F64));
      network =
          new Network(
              context, gru, new Readout(context, weight, bias, gru.outputBlock(), DType.F64), true);
    }
    weights.values().forEach(Tensor::close);
  }

  @AfterEach
  void close() {
    network.close();
    trials.close();
    assertEquals(before, Tensor.liveCount());
  }

  @Test
  void theGradientIsThatOfBackpropagation() {
    network.lossAndGradient(trials);
    for (Parameter parameter : network.parameters()) {
      assertClose("grad_", parameter, parameter.gradient(), GRADIENT_TOLERANCE);
    }
  }

  /** An optimizer of training.json. */
  record Rule(String name, double rate, Function<Network, Optimizer> optimizer) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Rule> rules() {
    ExecutionContext context = ExecutionContext.shared();
    return Stream.of(
        new Rule("sgd", 0.05, network -> new Sgd(context, network.parameters(), 0)),
        new Rule("momentum", 0.05, network -> new Sgd(context, network.parameters(), 0.9)),
        new Rule("adam", 0.01, network -> new Adam(context, network.parameters())),
        new Rule("shampoo", 0.05, network -> new Shampoo(context, network.parameters(), 1e-4, 1)));
  }

  @ParameterizedTest
  @MethodSource("rules")
  void twentyFiveStepsEndAtTheSameWeights(Rule rule) throws IOException {
    JsonNode losses =
        new ObjectMapper()
            .readTree(FOLDER.resolve("training.json").toFile())
            .get("losses")
            .get(rule.name());
    int steps = losses.size() - 1;
    try (Optimizer optimizer = rule.optimizer().apply(network)) {
      Trainer trainer =
          new Trainer(
              network,
              optimizer,
              step -> trials.to(DType.F64),
              LearningRate.constant(rule.rate()),
              0);
      for (int i = 0; i < steps; i++) {
        assertEquals(losses.get(i).asDouble(), trainer.advance(), TOLERANCE, "loss " + i);
      }
    }
    assertEquals(losses.get(steps).asDouble(), network.loss(trials), TOLERANCE);
    for (Parameter parameter : network.parameters()) {
      assertClose(rule.name() + "_", parameter, parameter.value(), TOLERANCE);
    }
  }

  private static Tensor read(String name) {
    return Npy.read(FOLDER.resolve(name + ".npy"));
  }

  private static void assertClose(String kind, Parameter parameter, Tensor found, double most) {
    try (Tensor expected = read(kind + parameter.name())) {
      double[] wanted = expected.toDoubles();
      double[] values = found.toDoubles();
      assertEquals(wanted.length, values.length);
      double worst = 0;
      for (int i = 0; i < wanted.length; i++) {
        worst = Math.max(worst, Math.abs(wanted[i] - values[i]));
      }
      assertTrue(worst <= most, kind + parameter.name() + " is off by " + worst);
    }
  }
}
