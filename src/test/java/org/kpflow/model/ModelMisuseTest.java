package org.kpflow.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

class ModelMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final ModelOptions F64 = ModelOptions.of(DType.F64);

  private final List<Tensor> made = new ArrayList<>();
  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    made.forEach(Tensor::close);
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private Map<String, Tensor> weights(Kind kind) {
    Map<String, Tensor> weights = RandomModels.weights(kind, Sizes.SMALL, new Random(1));
    made.addAll(weights.values());
    return weights;
  }

  private Tensor zeros(long... sizes) {
    Tensor tensor = Tensor.zeros(DType.F64, sizes);
    made.add(tensor);
    return tensor;
  }

  private static void bad(Kind kind, Map<String, Tensor> weights, String... fragments) {
    refused(InputException.class, () -> kind.model(weights, F64), fragments);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aMissingWeightIsNamedWithThoseThereAre(Kind kind) {
    for (String name : new String[] {"weight_ih_l0", "weight_hh_l0"}) {
      Map<String, Tensor> weights = weights(kind);
      weights.remove(name);
      bad(kind, weights, name + " is missing", weights.keySet().toString());
    }
    bad(kind, Map.of(), "weight_hh_l0 is missing");
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aWeightOfTheWrongShapeIsNamedWithBothShapes(Kind kind) {
    int rows = kind.gates * Sizes.SMALL.units();
    Map<String, Tensor> weights = weights(kind);
    weights.put("weight_ih_l0", zeros(rows + 1, 2));
    bad(kind, weights, "weight_ih_l0", "[" + rows + ", n_in]", "[" + (rows + 1) + ", 2]");
    weights.put("weight_ih_l0", zeros(rows));
    bad(kind, weights, "weight_ih_l0", "matrix", "[" + rows + "]");
    weights.put("weight_ih_l0", zeros(rows, 0));
    bad(kind, weights, "weight_ih_l0", "[" + rows + ", 0]");
    weights = weights(kind);
    weights.put("weight_hh_l0", zeros(rows, 4));
    bad(kind, weights, "weight_hh_l0", "[" + kind.gates + " H, H]", "[" + rows + ", 4]");
    weights.put("weight_hh_l0", zeros(0, 0));
    bad(kind, weights, "weight_hh_l0", "[0, 0]");
    if (kind.biases) {
      weights = weights(kind);
      weights.put("bias_hh_l0", zeros(rows, 1));
      bad(kind, weights, "bias_hh_l0", "[" + rows + "]", "[" + rows + ", 1]");
    }
  }

  @Test
  void theLeakyCellHasNoBiases() {
    Map<String, Tensor> weights = weights(Kind.LEAKY);
    weights.put("bias_ih_l0", zeros(Sizes.SMALL.units()));
    bad(Kind.LEAKY, weights, "bias_ih_l0", "no biases");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "weight_hh_l0_reverse",
        "bias_ih_l0_reverse",
        "weight_ih_l1_reverse",
        "weight_hr_l0"
      })
  void bidirectionalAndProjectedLayersAreRefusedByName(String name) {
    Map<String, Tensor> weights = weights(Kind.GRU);
    weights.put(name, zeros(15, 5));
    bad(Kind.GRU, weights, name, "bidirectional", "projections", "not supported");
  }

  @ParameterizedTest
  @ValueSource(strings = {"weight_ih_l01", "weight_hh", "bias_ih_l0_extra", "weight_hh_lx"})
  void aNameThatLooksLikeALayersButIsNoneIsListed(String name) {
    Map<String, Tensor> weights = weights(Kind.GRU);
    weights.put(name, zeros(15, 5));
    bad(Kind.GRU, weights, "[" + name + "]", "weight_ih_l0");
    weights.remove(name);
    weights.put("readout.weight", zeros(2, 5)); // not ours to judge
    Kind.GRU.model(weights, F64).close();
  }

  @ParameterizedTest
  @EnumSource(names = {"RNN_TANH_STACK", "LEAKY_STACK", "GRU_STACK", "LSTM_STACK"})
  void aStackNeedsAllItsLayersInTheSameWidth(Kind kind) {
    int rows = kind.gates * Sizes.SMALL.units();
    Map<String, Tensor> weights = weights(kind);
    weights.remove("weight_hh_l1");
    bad(kind, weights, "weight_hh_l1 is missing");
    weights.put("weight_hh_l1", zeros(2 * rows, 2 * Sizes.SMALL.units()));
    bad(kind, weights, "weight_hh_l1", "same H", "[" + rows + ", 5]", "[" + 2 * rows + ", 10]");
    weights = weights(kind);
    weights.put("weight_ih_l1", zeros(rows, 2));
    bad(kind, weights, "weight_ih_l1", "[" + rows + ", 5]", "[" + rows + ", 2]");
    weights = weights(kind);
    weights.put("weight_hh_l999999999", zeros(rows, 5));
    bad(kind, weights, "weight_ih_l" + kind.layers + " is missing");
    weights = weights(kind);
    if (kind.biases) {
      weights.put("bias_ih_l1", zeros(rows + 1));
      bad(kind, weights, "bias_ih_l1", "[" + rows + "]", "[" + (rows + 1) + "]");
    }
  }

  @Test
  void theStateOfAStackIsNamedLayerByLayer() {
    try (RecurrentModel lstm = Kind.LSTM_STACK.model(weights(Kind.LSTM_STACK), F64);
        RecurrentModel single = Kind.LSTM.model(weights(Kind.LSTM), F64)) {
      assertEquals(
          List.of(
              new StateBlock("h_l0", 0, 5),
              new StateBlock("c_l0", 5, 5),
              new StateBlock("h_l1", 10, 5),
              new StateBlock("c_l1", 15, 5)),
          lstm.blocks());
      assertEquals("h_l1", lstm.outputBlock().name());
      assertEquals(20, lstm.stateUnits());
      assertEquals(
          List.of("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l1"),
          lstm.families().stream().map(WeightFamily::name).limit(5).toList());
      assertEquals(5, lstm.families().get(5).index());
      assertEquals(1, lstm.families().get(5).layer());
      assertEquals(List.of("h", "c"), single.blocks().stream().map(StateBlock::name).toList());
    }
  }

  @Test
  void severalNetworksNeedAPrefix() {
    Map<String, Tensor> both = new LinkedHashMap<>();
    for (String prefix : new String[] {"encoder.", "decoder."}) {
      weights(Kind.GRU).forEach((name, tensor) -> both.put(prefix + name, tensor));
    }
    bad(Kind.GRU, both, "several networks", "[decoder., encoder.]", "prefix");
    new Gru(both, new ModelOptions(DType.F64, Set.of(), "encoder.")).close();
    refused(
        InputException.class,
        () -> new Gru(both, new ModelOptions(DType.F64, Set.of(), "other.")),
        "weight_ih_l0 is missing");
  }

  @Test
  void freezingAFamilyThatIsNotThereIsRefused() {
    Map<String, Tensor> weights = weights(Kind.GRU_NO_BIAS);
    for (String name : new String[] {"bias_ih_l0", "rnn.weight_hh_l0", ""}) {
      refused(
          InputException.class,
          () -> new Gru(weights, F64.freeze(name)),
          "freeze",
          "weight_ih_l0, weight_hh_l0",
          "'" + name + "'");
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -0.1, 1.1, Double.NaN, Double.POSITIVE_INFINITY})
  void aStepOutsideItsRangeIsRefused(double dt) {
    Map<String, Tensor> weights = weights(Kind.LEAKY);
    refused(() -> new LeakyRnn(weights, Activation.TANH, dt, F64), "dt", "at most 1", "" + dt);
  }

  @Test
  void nullsAreNamed() {
    Map<String, Tensor> weights = weights(Kind.GRU_NO_BIAS);
    refused(() -> new Gru(null, F64), "weights", "null");
    refused(() -> new Gru(weights, null), "options", "null");
    refused(() -> new Rnn(weights, null, F64), "activation", "null");
    refused(() -> new LeakyRnn(weights, null, 0.5, F64), "activation", "null");
    refused(() -> ModelOptions.of(null), "dtype", "null");
    refused(() -> new ModelOptions(DType.F64, null, ""), "frozen", "null");
    Map<String, Tensor> hole = new HashMap<>(weights);
    hole.put("weight_ih_l0", null);
    refused(InputException.class, () -> new Gru(hole, F64), "weight_ih_l0 is missing");
    refused(() -> Activation.of("elu"), "activation", "tanh, relu, gelu or linear", "'elu'");
  }

  @Test
  void closedWeightsAndUnknownFamiliesAreRefused() {
    Map<String, Tensor> weights = weights(Kind.GRU);
    try (Gru model = new Gru(weights, F64)) {
      refused(() -> model.weight("weight_hh_l1"), "family", "bias_hh_l0", "'weight_hh_l1'");
    }
    weights.get("bias_hh_l0").close();
    closed(() -> new Gru(weights, F64));
  }

  @Test
  void theReadoutChecksItsShapes() {
    Tensor weight = zeros(3, 4);
    StateBlock block = new StateBlock("h", 0, 4);
    DType f64 = DType.F64;
    refused(() -> new Readout(CONTEXT, zeros(3), null, block, f64), "readout weight", "[3]");
    StateBlock wide = new StateBlock("h", 0, 5);
    refused(() -> new Readout(CONTEXT, weight, null, wide, f64), "[n_out, 5]", "h", "[3, 4]");
    refused(() -> new Readout(CONTEXT, weight, zeros(4), block, f64), "readout bias", "[3]", "[4]");
    refused(() -> new Readout(CONTEXT, null, null, block, f64), "weight", "null");
    refused(() -> new Readout(CONTEXT, weight, null, null, f64), "block", "null");
    refused(() -> new Readout(null, weight, null, block, f64), "context", "null");
    refused(() -> new Readout(CONTEXT, weight, null, block, null), "dtype", "null");
    Readout readout = new Readout(CONTEXT, weight, zeros(3), block, f64);
    Tensor state = zeros(2, 5, 4);
    try (readout) {
      refused(() -> readout.apply(zeros(2, 5, 3)), "state", "at least 4", "[2, 5, 3]");
      refused(() -> readout.apply(zeros(5, 4)), "state", "[B, T, n]", "[5, 4]");
      refused(() -> readout.apply(null), "state", "null");
      refused(() -> readout.lift(zeros(2, 5, 4), 4), "outputs", "[B, T, 3]", "[2, 5, 4]");
      refused(() -> readout.lift(zeros(2, 5, 3), 3), "units", "4", "3");
      refused(() -> readout.lift(null, 4), "outputs", "null");
      try (Readout later = readout.at(new StateBlock("h_l1", 4, 4))) {
        refused(() -> later.apply(state), "state", "at least 8", "h_l1", "[2, 5, 4]");
      }
      refused(() -> readout.meanSquaredError(state, zeros(2, 5, 2)), "targets", "[2, 5, 3]");
      refused(() -> readout.meanSquaredError(state, null), "targets", "null");
      try (Tensor narrow = Tensor.zeros(DType.F32, Shape.of(2, 5, 3))) {
        refused(() -> readout.meanSquaredError(state, narrow), "targets", "f64", "f32");
      }
    }
    closed(() -> readout.apply(state));
  }
}
