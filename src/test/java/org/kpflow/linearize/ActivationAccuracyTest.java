package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.HashMap;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.model.Activation;
import org.kpflow.model.Lstm;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.Rnn;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** The cells' tanh and σ against those of Java, from the tiniest numbers to where they saturate. */
class ActivationAccuracyTest {
  private static final int COUNT = 4001; // no multiple of a vector

  private static double tolerance(DType dtype) {
    return dtype == DType.F64 ? 1e-15 : 4e-7;
  }

  /** Both signs of 10^-20 to 10^2, and some that are far away. */
  private static double point(int i) {
    double size = Math.pow(10, -20 + 22.0 * (i / 2) / (COUNT / 2));
    return i >= COUNT - 4 ? (i % 2 == 0 ? 1e30 : -1e30) : i % 2 == 0 ? size : -size;
  }

  /** One step of H units that read nothing but biases, which are the points. */
  private static double[] state(RecurrentModel model) {
    try (model;
        Tensor inputs = Tensor.zeros(DType.F64, 1, 1, 1);
        Linearization linearization =
            Linearization.of(ExecutionContext.shared(), model, inputs, null);
        Tensor state = linearization.state()) {
      return state.toDoubles();
    }
  }

  private static RecurrentModel model(DType dtype, boolean lstm, double[] bias) {
    int gates = lstm ? 4 : 1;
    int units = bias.length / gates;
    Map<String, Tensor> weights = new HashMap<>();
    weights.put("weight_ih_l0", Tensor.zeros(DType.F64, bias.length, 1));
    weights.put("weight_hh_l0", Tensor.zeros(DType.F64, bias.length, units));
    weights.put("bias_ih_l0", Tensor.of(Shape.of(bias.length), bias));
    try {
      return lstm
          ? new Lstm(weights, ModelOptions.of(dtype))
          : new Rnn(weights, Activation.TANH, ModelOptions.of(dtype));
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  private static void compare(
      DType dtype, double[] found, int first, DoubleUnaryOperator expected) {
    for (int i = 0; i < COUNT; i++) {
      double x = dtype == DType.F32 ? (float) point(i) : point(i);
      double wanted = expected.applyAsDouble(x);
      if (Math.abs(wanted) > 1e-37) { // below, f32 has no normal numbers
        assertEquals(wanted, found[first + i], tolerance(dtype) * Math.abs(wanted), "at " + x);
      } else {
        assertTrue(Math.abs(found[first + i]) < 1.1e-37, "at " + x);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void tanhIsThatOfJava(DType dtype) {
    double[] bias = new double[COUNT];
    for (int i = 0; i < COUNT; i++) {
      bias[i] = point(i);
    }
    compare(dtype, state(model(dtype, false, bias)), 0, Math::tanh);
  }

  /** c' = σ(a_i) tanh(a_g) of an LSTM that starts at zero, with tanh(a_g) = 1. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void sigmoidIsThatOfJava(DType dtype) {
    double[] bias = new double[4 * COUNT];
    for (int i = 0; i < COUNT; i++) {
      bias[i] = point(i);
      bias[2 * COUNT + i] = 100;
    }
    compare(dtype, state(model(dtype, true, bias)), COUNT, x -> 1 / (1 + Math.exp(-x)));
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void whatIsNotANumberStaysNone(DType dtype) {
    for (boolean lstm : new boolean[] {false, true}) {
      double[] bias = new double[40];
      bias[7] = Double.NaN;
      try (RecurrentModel model = model(dtype, lstm, bias)) {
        refused(NumericalException.class, () -> state(model), "not finite", "unit");
      }
    }
  }
}
