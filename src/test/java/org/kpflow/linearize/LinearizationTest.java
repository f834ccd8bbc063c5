package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.FlowOperators;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.model.Activation;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.Rnn;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** What a linearization holds: state, sites, precision, and that it is a snapshot. */
class LinearizationTest {
  /** State, sites, and all operators and adjoints on random blocks, as one array. */
  private static double[] everything(Linearization linearization) {
    List<double[]> parts = new ArrayList<>();
    parts.add(taken(linearization.state()));
    linearization
        .families()
        .forEach(family -> parts.add(taken(linearization.sites(family.name()))));
    for (LinearOperator operator : FlowOperators.of(linearization)) {
      DType dtype = linearization.dtype();
      try (Tensor in = RandomModels.gaussian(dtype, operator.domain().block(5), 1);
          Tensor back = RandomModels.gaussian(dtype, operator.range().block(5), 2)) {
        parts.add(taken(operator.matmat(in)));
        parts.add(taken(operator.rmatmat(back)));
      }
    }
    return parts.stream().flatMapToDouble(Arrays::stream).toArray();
  }

  private static double[] taken(Tensor tensor) {
    try (tensor) {
      return tensor.toDoubles();
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theNumberOfThreadsChangesNoBit(Kind kind, DType dtype) {
    for (Sizes sizes : new Sizes[] {Sizes.AWKWARD, new Sizes(37, 4, 3, 9)}) {
      try (Sample sample = new Sample(kind, dtype, sizes, 1)) {
        double[] expected = null;
        for (int threads = 1; threads <= 3; threads++) {
          try (ExecutionContext context = ExecutionContext.withThreads(threads);
              Linearization linearization =
                  Linearization.of(context, sample.model, sample.inputs, sample.initial)) {
            double[] actual = everything(linearization);
            expected = expected == null ? actual : expected;
            assertArrayEquals(expected, actual, threads + " threads");
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void itIsASnapshot(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 2)) {
      Linearization linearization = sample.linearize();
      double[] before = everything(linearization);
      for (WeightFamily family : linearization.families()) {
        Tensor weight = sample.model.weight(family.name());
        weight.reshape(Shape.of(family.size())).set(7, 0);
      }
      sample.inputs.set(7, 0, 0, 0);
      sample.initial.set(7, 0, 0);
      assertArrayEquals(before, everything(linearization));
      assertFalse(Arrays.equals(before, everything(sample.linearize())), "a new one sees it");
      sample.model.close();
      sample.inputs.close();
      sample.initial.close();
      assertArrayEquals(before, everything(linearization));
    }
  }

  /** h' = σ(a_o) tanh(c'), so the first H units are the second H through tanh, times a gate. */
  @Test
  void theStateOfAnLstmIsHThenC() {
    Sizes sizes = new Sizes(2, 3, 2, 4);
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, sizes, 3)) {
      double[] state = taken(sample.linearize().state());
      double[] h0 = sample.initial.toDoubles();
      int units = sizes.units();
      double[][] w = new double[4][];
      Arrays.setAll(w, i -> sample.model.weight(RecurrentModel.NAMES.get(i)).toDoubles());
      for (int b = 0; b < sizes.trials(); b++) {
        double[] previous = Arrays.copyOfRange(h0, b * 2 * units, (b + 1) * 2 * units);
        for (int t = 0; t < sizes.steps(); t++) {
          int row = b * sizes.steps() + t;
          double[] x = Arrays.copyOfRange(sample.inputs.toDoubles(), 2 * row, 2 * row + 2);
          double[] next = lstm(w, x, previous, units);
          assertArrayEquals(
              next, Arrays.copyOfRange(state, row * 2 * units, (row + 1) * 2 * units), 1e-13);
          previous = next;
        }
      }
    }
  }

  /** One step of PyTorch's LSTM on [h; c]; w are weight_ih, weight_hh, bias_ih, bias_hh. */
  private static double[] lstm(double[][] w, double[] x, double[] state, int units) {
    double[] a = new double[4 * units];
    for (int i = 0; i < a.length; i++) {
      a[i] = w[2][i] + w[3][i];
      for (int j = 0; j < x.length; j++) {
        a[i] += w[0][i * x.length + j] * x[j];
      }
      for (int j = 0; j < units; j++) {
        a[i] += w[1][i * units + j] * state[j];
      }
    }
    double[] next = new double[2 * units];
    for (int i = 0; i < units; i++) {
      double c =
          sigmoid(a[units + i]) * state[units + i] + sigmoid(a[i]) * Math.tanh(a[2 * units + i]);
      next[units + i] = c;
      next[i] = sigmoid(a[3 * units + i]) * Math.tanh(c);
    }
    return next;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theInitialStateEntersTheFirstSiteAndTheParameterOperator(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 4)) {
      Linearization from = sample.linearize();
      Linearization fromZero =
          sample.keep(
              Linearization.of(ExecutionContext.shared(), sample.model, sample.inputs, null));
      double[] site = sample.keep(from.sites("weight_hh_l0")).slice(0).toDoubles();
      double[] h0 = sample.initial.slice(0).toDoubles();
      for (int i = 0; i < site.length; i++) {
        assertEquals(kind.hasTanhSite() ? Math.tanh(h0[i]) : h0[i], site[i], 1e-15);
      }
      double[] zeroSite = sample.keep(fromZero.sites("weight_hh_l0")).slice(0).toDoubles();
      assertArrayEquals(new double[site.length], zeroSite);
      // the first unit's own entry of K at trial 0, step 0
      double[] first = {kAtTheStart(sample, from), kAtTheStart(sample, fromZero)};
      assertNotEquals(first[0], first[1], 1e-6);
    }
  }

  private static double kAtTheStart(Sample sample, Linearization linearization) {
    Tensor unit = sample.keep(Tensor.zeros(DType.F64, linearization.stateShape()));
    unit.set(1, 0, 0, 0);
    return sample.keep(new ParameterOperator(linearization).matvec(unit)).get(0, 0, 0);
  }

  /** 1 + 2^-40 is 1 in f32. */
  @Test
  void nothingIsRoundedToF32OnTheWay() {
    double fine = 1 + 0x1p-40;
    try (Tensor weight = Tensor.of(Shape.of(1, 1), fine);
        Tensor one = Tensor.of(Shape.of(1, 1), 1.0);
        Tensor x = Tensor.of(Shape.of(1, 2, 1), fine, 0);
        Tensor unit = Tensor.of(Shape.of(1, 2, 1), 1.0, 0);
        Rnn model =
            new Rnn(
                Map.of("weight_ih_l0", one, "weight_hh_l0", weight),
                Activation.LINEAR,
                ModelOptions.of(DType.F64));
        Linearization linearization = Linearization.of(model, x)) {
      assertArrayEquals(new double[] {fine, fine * fine}, taken(linearization.state()));
      PropagationOperator p = new PropagationOperator(linearization);
      assertArrayEquals(new double[] {1, fine}, taken(p.matvec(unit)));
      // theta = (w_ih, w_hh); J* e_0 = (x_0, h_0 initial) = (fine, 0)
      assertArrayEquals(
          new double[] {fine, 0}, taken(new ParameterJacobian(linearization).rmatvec(unit)));
      double square = fine * fine;
      assertArrayEquals(
          new double[] {square, square * fine},
          taken(new NeuralTangentKernel(linearization).matvec(unit)));
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aGivenTrajectoryTakesThePlaceOfTheModelsOwn(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 6)) {
      Linearization own = sample.linearize();
      Tensor state = sample.keep(own.state());
      Linearization along = along(sample, state);
      assertArrayEquals(everything(own), everything(along));
      Tensor other = sample.keep(RandomModels.gaussian(DType.F64, state.shape(), 7));
      Linearization elsewhere = along(sample, other);
      assertArrayEquals(other.toDoubles(), taken(elsewhere.state()));
      Tensor sites = sample.keep(elsewhere.sites("weight_hh_l0"));
      for (int i = 0; i < sites.shape().size(1); i++) {
        double before = other.get(0, 0, i);
        assertEquals(kind.hasTanhSite() ? Math.tanh(before) : before, sites.get(1, i), 1e-15);
      }
      assertFalse(Arrays.equals(everything(own), everything(elsewhere)));
    }
  }

  private static Linearization along(Sample sample, Tensor trajectory) {
    return sample.keep(
        Linearization.along(
            ExecutionContext.shared(), sample.model, sample.inputs, sample.initial, trajectory));
  }
}
