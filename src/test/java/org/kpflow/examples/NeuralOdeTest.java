package org.kpflow.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.AnalysisWriter;
import org.kpflow.analysis.PropagationReport;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.StateBlock;
import org.kpflow.report.Phase;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Neural ODEs against integrators written out here. */
class NeuralOdeTest {
  private static final Sizes SIZES = new Sizes(2, 5, 3, 4);
  private static final double[] TAU = {0.4, 1, 2.5, 10};
  private static final double DT = 0.2;

  private static Sample sample(NeuralOde.Method method, double dt) {
    ModelOptions options = ModelOptions.of(DType.F64);
    return Cells.sample(
        weights -> new NeuralOde(weights, method, dt, TAU, options), 1, 1, SIZES, 1);
  }

  /** dh/dt of one trial. */
  private static double[] slope(Map<String, Tensor> weights, double[] h, double[] x) {
    double[] slope = new double[h.length];
    for (int i = 0; i < h.length; i++) {
      double drive = weights.get("bias_ih_l0").get(i) + weights.get("bias_hh_l0").get(i);
      for (int j = 0; j < h.length; j++) {
        drive += weights.get("weight_hh_l0").get(i, j) * h[j];
      }
      for (int j = 0; j < x.length; j++) {
        drive += weights.get("weight_ih_l0").get(i, j) * x[j];
      }
      slope[i] = -h[i] / TAU[i] + Math.tanh(drive);
    }
    return slope;
  }

  private static double[] moved(double[] h, double step, double[] slope) {
    double[] out = h.clone();
    for (int i = 0; i < h.length; i++) {
      out[i] += step * slope[i];
    }
    return out;
  }

  /** A time step of the classical Runge-Kutta method. */
  private static double[] rungeKutta(
      Map<String, Tensor> weights, double[] h, double[] x, double dt) {
    double[] k1 = slope(weights, h, x);
    double[] k2 = slope(weights, moved(h, dt / 2, k1), x);
    double[] k3 = slope(weights, moved(h, dt / 2, k2), x);
    double[] k4 = slope(weights, moved(h, dt, k3), x);
    double[] out = h.clone();
    for (int i = 0; i < h.length; i++) {
      out[i] += dt / 6 * (k1[i] + 2 * k2[i] + 2 * k3[i] + k4[i]);
    }
    return out;
  }

  @Test
  void theTargetsOfAnAnalysisAreComparedAfterWholeSteps() {
    compareTargets(null);
    double[] mask = new double[SIZES.trials() * SIZES.steps()];
    mask[1] = 1;
    mask[mask.length - 1] = 1;
    compareTargets(mask);
  }

  private static void compareTargets(double[] counts) {
    try (Sample sample = sample(NeuralOde.Method.RK4, DT);
        Tensor mask =
            counts == null ? null : Tensor.of(Shape.of(SIZES.trials(), SIZES.steps()), counts);
        Tensor targets =
            RandomModels.gaussian(DType.F64, Shape.of(SIZES.trials(), SIZES.steps(), 4), 3)) {
      double square = 0;
      Map<String, Tensor> weights = Cells.weights(sample);
      for (int b = 0; b < SIZES.trials(); b++) {
        double[] h = sample.initial.slice(b).slice(0, 4).toDoubles();
        for (int t = 0; t < SIZES.steps(); t++) {
          h = rungeKutta(weights, h, sample.inputs.slice(b).slice(t).toDoubles(), DT);
          boolean counted = counts == null || counts[b * SIZES.steps() + t] == 1;
          for (int i = 0; i < h.length && counted; i++) {
            square += Math.pow(h[i] - targets.get(b, t, i), 2);
          }
        }
      }
      AnalysisRequest request =
          AnalysisRequest.of(ExecutionContext.shared(), sample.model, sample.inputs)
              .initialState(sample.initial)
              .targets(null, targets, mask)
              .modes(2)
              .rng(RngState.of(1));
      try (AnalysisResult result = Analysis.run(request, Progress.NONE)) {
        double entries = counts == null ? targets.count() : 8;
        assertEquals(square / entries, result.report().target().loss(), 1e-12);
        assertEquals(SIZES.steps(), result.report().sizes().get("steps"));
      }
    }
  }

  @Test
  void everyFourthStepIsAWholeStepOfTheRungeKuttaMethod() {
    try (Sample sample = sample(NeuralOde.Method.RK4, DT)) {
      assertEquals(4, sample.model.stepsPerInput());
      assertEquals(new StateBlock("h", 0, 4), sample.model.outputBlock());
      assertEquals(
          List.of("h", "k", "sum"), sample.model.blocks().stream().map(StateBlock::name).toList());
      Linearization linearization = sample.linearize();
      assertEquals(4 * SIZES.steps(), linearization.steps());
      Tensor state = sample.keep(linearization.state());
      for (int b = 0; b < SIZES.trials(); b++) {
        double[] h = java.util.Arrays.copyOf(sample.initial.slice(b).toDoubles(), 4);
        for (int t = 0; t < SIZES.steps(); t++) {
          double[] before = h;
          double[] x = sample.inputs.slice(b).slice(t).toDoubles();
          h = rungeKutta(Cells.weights(sample), h, x, DT);
          for (int stage = 0; stage < 4; stage++) {
            double[] row = state.slice(b).slice(4 * t + stage).toDoubles();
            assertArrayEquals(
                stage == 3 ? h : before, java.util.Arrays.copyOf(row, 4), 1e-14, "stage " + stage);
          }
        }
      }
    }
  }

  @Test
  void eulersMethodIsALeakyNetworkWithATimeConstantPerUnit() {
    try (Sample sample = sample(NeuralOde.Method.EULER, DT)) {
      assertEquals(1, sample.model.stepsPerInput());
      Tensor state = sample.keep(sample.linearize().state());
      for (int b = 0; b < SIZES.trials(); b++) {
        double[] h = sample.initial.slice(b).toDoubles();
        for (int t = 0; t < SIZES.steps(); t++) {
          double[] x = sample.inputs.slice(b).slice(t).toDoubles();
          h = moved(h, DT, slope(Cells.weights(sample), h, x));
          assertArrayEquals(h, state.slice(b).slice(t).toDoubles(), 1e-14);
        }
      }
    }
  }

  /** Halving the time step at a held input divides the error by 2^4 and by 2. */
  @Test
  void theMethodsHaveTheirOrders() {
    for (NeuralOde.Method method : NeuralOde.Method.values()) {
      double[] errors = new double[2];
      double[] truth = end(NeuralOde.Method.RK4, 400);
      for (int i = 0; i < 2; i++) {
        double[] found = end(method, 10 << i);
        for (int u = 0; u < 4; u++) {
          errors[i] = Math.max(errors[i], Math.abs(found[u] - truth[u]));
        }
      }
      double order = Math.log(errors[0] / errors[1]) / Math.log(2);
      assertEquals(method == NeuralOde.Method.RK4 ? 4 : 1, order, 0.3, method.toString());
    }
  }

  /** h at time 2 from a fixed input. */
  private static double[] end(NeuralOde.Method method, int steps) {
    try (Sample sample = sample(method, 2.0 / steps);
        Tensor x = Tensor.zeros(DType.F64, SIZES.trials(), steps, SIZES.inputs());
        Linearization linearization =
            Linearization.of(ExecutionContext.shared(), sample.model, x, sample.initial);
        Tensor state = linearization.state()) {
      double[] last = state.slice(0).slice(state.shape().size(1) - 1).toDoubles();
      return java.util.Arrays.copyOf(last, 4);
    }
  }

  /**
   * At h = 0 two uncoupled units with dh/dt = μ h: a time step makes of e_h the factor R(z) of the
   * method, z = μ dt, and leaves k_4 and the sum behind.
   */
  @ParameterizedTest
  @EnumSource(NeuralOde.Method.class)
  void theReportOfPropagationCountsStepsOfTheInputs(
      NeuralOde.Method method, @TempDir Path directory) throws IOException {
    int steps = 12;
    double dt = 0.1;
    boolean euler = method == NeuralOde.Method.EULER;
    ModelOptions options = ModelOptions.of(DType.F64);
    try (Tensor hidden = Tensor.of(Shape.of(2, 2), 0.4, 0, 0, -2);
        Tensor input = Tensor.zeros(DType.F64, 2, 1);
        Tensor bias = Tensor.zeros(DType.F64, 2);
        Tensor x = Tensor.zeros(DType.F64, 1, steps, 1);
        NeuralOde model =
            new NeuralOde(
                Map.of(
                    "weight_hh_l0",
                    hidden,
                    "weight_ih_l0",
                    input,
                    "bias_hh_l0",
                    bias,
                    "bias_ih_l0",
                    bias),
                method,
                dt,
                1,
                options);
        AnalysisResult result =
            Analysis.run(AnalysisRequest.of(ExecutionContext.shared(), model, x), Progress.NONE)) {
      double[] growth = new double[2]; // R
      double[] left = new double[2]; // ‖(R, k_4, sum)‖
      for (int unit = 0; unit < 2; unit++) {
        double mu = unit == 0 ? 0.4 - 1 : -2 - 1;
        double z = mu * dt;
        growth[unit] = euler ? 1 + z : 1 + z * (1 + z / 2 * (1 + z / 3 * (1 + z / 4)));
        double fourth = mu * (1 + z * (1 + z / 2 * (1 + z / 2)));
        double sum = (growth[unit] - 1) / dt;
        left[unit] = euler ? growth[unit] : Math.hypot(growth[unit], Math.hypot(fourth, sum));
      }
      PropagationReport found = result.report().propagation();
      double[] exponents = found.lyapunov().mean();
      assertEquals(euler ? 2 : 6, exponents.length);
      for (int unit = 0; unit < 2; unit++) {
        double logarithm = (steps - 1) * Math.log(growth[unit]) + Math.log(left[unit]);
        assertEquals(logarithm / steps, exponents[unit], 1e-12);
        assertEquals(exponents[unit], result.arrays().get("lyapunov").get(0, unit), 1e-15);
      }
      assertEquals(euler ? 0 : 4, found.lyapunov().minusInfinities());
      assertTrue(
          result.report().warnings().stream().noneMatch(w -> w.contains("singular")),
          result.report().warnings().toString());
      for (int source = 0; source < 3; source++) {
        PropagationReport.Transitions transitions = found.transitions().get(source);
        assertEquals(4 * source, transitions.source());
        for (int i = 0; i < transitions.lags().length; i++) {
          long lag = transitions.lags()[i];
          double expected = lag == 0 ? 1 : 0;
          for (int unit = 0; unit < 2 && lag > 0; unit++) {
            expected = Math.max(expected, Math.pow(growth[unit], lag - 1) * left[unit]);
          }
          assertEquals(expected, transitions.mean()[i], 1e-5 * expected);
        }
      }
      long[] lags = found.transitions().get(0).lags();
      assertEquals(steps - 1, lags[lags.length - 1]);
      String page =
          Files.readString(
              new AnalysisWriter(result, List.of(new Phase("all", 0)), Map.of()).write(directory));
      assertTrue(page.contains("per step of the inputs"));
      assertEquals(!euler, page.contains("components of the state that every step overwrites"));
    }
  }

  @Test
  void argumentsOutsideTheirRangesAreRefused() {
    ModelOptions options = ModelOptions.of(DType.F64);
    NeuralOde.Method rk4 = NeuralOde.Method.RK4;
    ExecutionContext.shared();
    long live = Tensor.liveCount();
    try (Sample sample = sample(rk4, DT);
        Tensor square = Tensor.zeros(DType.F64, 4, 4)) {
      Map<String, Tensor> weights = Cells.weights(sample);
      for (double bad : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
        refused(() -> new NeuralOde(weights, rk4, bad, 1, options), "dt", "above 0", "" + bad);
      }
      for (double bad : new double[] {0, -1, Double.NaN}) {
        refused(() -> new NeuralOde(weights, rk4, 1, bad, options), "tau", "above 0", "" + bad);
      }
      refused(() -> new NeuralOde(weights, null, 1, 1, options), "method", "null");
      refused(() -> new NeuralOde(weights, rk4, 1, null, options), "tau", "null");
      for (double[] bad : new double[][] {{}, {1, 2}, {1, 2, 3, 4, 5}}) {
        refused(
            InputException.class,
            () -> new NeuralOde(weights, rk4, 1, bad, options),
            "tau: expected 1 or 4 values, got " + bad.length);
      }
      weights.put("weight_ih_l1", square);
      weights.put("weight_hh_l1", square);
      refused(
          InputException.class,
          () -> new NeuralOde(weights, rk4, 1, 1, options),
          "one layer",
          "got 2");
    }
    assertEquals(live, Tensor.liveCount(), "leaks");
  }
}
