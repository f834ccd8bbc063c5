package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.StateBlock;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The restriction to a part of the state against entries picked one by one. */
class StateSelectionTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Sizes SIZES = new Sizes(2, 5, 2, 4);

  /** Some units of several blocks where there are several, at some steps; for any model. */
  static StateSelection some(Linearization linearization) {
    long n = linearization.units();
    String units = n > 3 ? "0,2:" + (n - 1) : "-1";
    return StateSelection.parse(units, linearization.steps() > 3 ? "1,2::2" : "-1");
  }

  /** Flat positions in the state of what a restriction keeps, in order. */
  private static int[] kept(StateRestriction r) {
    Shape state = r.domain();
    int[] flat = new int[(int) r.range().count()];
    int at = 0;
    for (int b = 0; b < state.size(0); b++) {
      for (int t : r.steps()) {
        for (int u : r.units()) {
          flat[at++] = (int) ((b * state.size(1) + t) * state.size(2)) + u;
        }
      }
    }
    return flat;
  }

  /** Rows (all where null) and columns of a dense matrix, picked one by one. */
  private static Tensor part(Tensor dense, int[] rows, int[] columns) {
    double[] all = dense.toDoubles();
    int width = (int) dense.shape().size(1);
    double[] part = new double[rows.length * (columns == null ? width : columns.length)];
    int at = 0;
    for (int row : rows) {
      for (int j = 0; j < (columns == null ? width : columns.length); j++) {
        part[at++] = all[row * width + (columns == null ? j : columns[j])];
      }
    }
    return Tensor.of(Shape.of(rows.length, part.length / rows.length), part);
  }

  private static void assertClose(Tensor expected, Tensor found, double tolerance, String what) {
    assertEquals(expected.shape(), found.shape(), what);
    try (expected;
        found;
        Tensor difference = expected.copy()) {
      TensorMath.axpby(CONTEXT, -1, found, 1, difference);
      double error = TensorMath.norm(CONTEXT, difference);
      double norm = TensorMath.norm(CONTEXT, expected);
      assertTrue(norm > 0 && error <= tolerance * norm, what + ": " + error + " of " + norm);
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void operatorsOfASelectionAreThePartsOfThoseOfTheState(ModelKind kind) {
    long live = Tensor.liveCount();
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      StateRestriction r = some(linearization).of(linearization);
      int[] kept = kept(r);
      assertFalse(r.isWhole());
      assertTrue(kept.length < r.domain().count());
      try (Tensor ntk = new NeuralTangentKernel(linearization).toDense();
          Tensor p = new PropagationOperator(linearization).toDense();
          Tensor j = new ParameterJacobian(linearization).toDense();
          Tensor trial = new TrialJacobian(linearization).toDense();
          Tensor state = linearization.state()) {
        assertClose(part(ntk, kept, kept), r.tangentKernel().toDense(), 1e-13, kind + " NTK");
        assertClose(part(p, kept, kept), r.propagation().toDense(), 1e-14, kind + " P");
        assertClose(part(p, kept, null), r.response().toDense(), 1e-14, kind + " R P");
        assertClose(part(j, kept, null), r.jacobian().toDense(), 1e-14, kind + " J");
        assertClose(part(trial, kept, null), r.trialJacobian().toDense(), 1e-14, kind + " J_trial");
        Shape column = Shape.of(state.count(), 1);
        try (Tensor found = r.state()) {
          Tensor expected = part(state.reshape(column), kept, null);
          assertClose(expected, found.reshape(expected.shape()), 0, kind + " h");
        }
      }
      assertTrue(r.tangentKernel().isSelfAdjoint());
      assertEquals("R ∘ J", r.tangentKernel().gramFactor().orElseThrow().toString());
    }
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#kindsAndTypes")
  void restrictionsKeepTheContractOfOperators(ModelKind kind, DType dtype) {
    try (ModelSample<?> sample = kind.sample(dtype, SIZES, 2)) {
      Linearization linearization = sample.linearize();
      for (StateSelection selection :
          List.of(StateSelection.all(), some(linearization), StateSelection.parse("-1", "0"))) {
        StateRestriction r = selection.of(linearization);
        for (LinearOperator operator :
            List.of(r, r.tangentKernel(), r.propagation(), r.response(), r.jacobian())) {
          OperatorContract.check(operator, 3, 4);
        }
      }
    }
  }

  /**
   * P of a model without the other variables: with M = P^{-1} in blocks, kept and left out, (M_kk -
   * M_kl M_ll^{-1} M_lk) R P R* = I.
   */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void propagationOfASelectionInvertsTheSchurComplement(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 3)) {
      Linearization linearization = sample.linearize();
      StateRestriction r = some(linearization).of(linearization);
      int[] kept = kept(r);
      boolean[] isKept = new boolean[(int) r.domain().count()];
      for (int i : kept) {
        isKept[i] = true;
      }
      int[] left =
          java.util.stream.IntStream.range(0, isKept.length).filter(i -> !isKept[i]).toArray();
      try (Tensor inverse = new PropagationOperator(linearization).inverse().toDense();
          Tensor p = r.propagation().toDense()) {
        double[][] schur = schur(inverse, kept, left);
        double[] values = p.toDoubles();
        double worst = 0;
        for (int i = 0; i < kept.length; i++) {
          double[] row = new double[kept.length];
          row[i] = -1;
          for (int l = 0; l < kept.length; l++) {
            for (int j = 0; schur[i][l] != 0 && j < kept.length; j++) {
              row[j] += schur[i][l] * values[l * kept.length + j];
            }
          }
          worst = Math.max(worst, Arrays.stream(row).map(Math::abs).max().orElse(0));
        }
        assertTrue(worst < 1e-11, kind + ": " + worst);
      }
    }
  }

  /** M_kk - M_kl M_ll^{-1} M_lk, by eliminating the left-out variables one by one. */
  private static double[][] schur(Tensor matrix, int[] kept, int[] left) {
    int n = kept.length + left.length;
    double[][] m = new double[n][];
    for (int i = 0; i < n; i++) {
      m[i] = matrix.slice(i).toDoubles();
    }
    for (int pivot : left) {
      for (int i = 0; i < n; i++) {
        double factor = m[i][pivot] / m[pivot][pivot];
        for (int j = 0; factor != 0 && i != pivot && j < n; j++) {
          m[i][j] -= factor * m[pivot][j];
        }
      }
    }
    double[][] result = new double[kept.length][kept.length];
    for (int i = 0; i < kept.length; i++) {
      for (int j = 0; j < kept.length; j++) {
        result[i][j] = m[kept[i]][kept[j]];
      }
    }
    return result;
  }

  /** h_{t+2} = W (W h_t + …) + … is a linear network of its own, whose Φ are the powers of W². */
  @Test
  void everySecondStepOfALinearNetworkHasThePropagationOfItsTwoStepMap() {
    try (Sample sample = new Sample(Kind.RNN_LINEAR, DType.F64, SIZES, 4);
        Tensor square = Tensor.zeros(DType.F64, 4, 4);
        Tensor fourth = Tensor.zeros(DType.F64, 4, 4)) {
      Tensor w = sample.model.weight("weight_hh_l0");
      TensorMath.gemm(CONTEXT, false, false, 1, w, w, 0, square);
      TensorMath.gemm(CONTEXT, false, false, 1, square, square, 0, fourth);
      StateRestriction r = StateSelection.parse(null, "::2").of(sample.linearize());
      try (Tensor p = r.propagation().toDense()) { // steps 0, 2, 4
        for (int b = 0; b < 2; b++) {
          for (int i = 0; i < 4; i++) {
            for (int j = 0; j < 4; j++) {
              int at = 12 * b;
              assertEquals(i == j ? 1 : 0, p.get(at + 4 + i, at + 4 + j));
              assertEquals(square.get(i, j), p.get(at + 8 + i, at + 4 + j), 1e-15);
              assertEquals(fourth.get(i, j), p.get(at + 8 + i, at + j), 1e-15);
              assertEquals(0, p.get(at + 4 + i, at + 8 + j));
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "5|5",
        "-1|9",
        "0:3|0 1 2",
        "7:|7 8 9",
        ":2|0 1",
        "::4|0 4 8",
        "1::4|1 5 9",
        "-3:-1|7 8",
        "8,1,1:3|1 2 8",
        "0:2, 4|0 1 4",
        ":|0 1 2 3 4 5 6 7 8 9",
        "all|0 1 2 3 4 5 6 7 8 9"
      })
  void rangesAreThoseOfPython(String text, String expected) {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(1, 10, 1, 10), 5)) {
      int[] numbers = Arrays.stream(expected.split(" ")).mapToInt(Integer::parseInt).toArray();
      Linearization linearization = sample.linearize();
      StateRestriction steps = StateSelection.parse(null, text).of(linearization);
      StateRestriction units = StateSelection.parse(text, null).of(linearization);
      assertArrayEquals(numbers, steps.steps());
      assertEquals(10, steps.units().length);
      assertArrayEquals(numbers, units.units());
      assertEquals(10, units.steps().length);
    }
  }

  @Test
  void blocksAreNamedAndKeepTheirPlace() {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 6)) {
      Linearization linearization = sample.linearize();
      StateRestriction cell = StateSelection.parse("c", null).of(linearization);
      assertArrayEquals(new int[] {4, 5, 6, 7}, cell.units());
      assertEquals(List.of(new StateBlock("c", 0, 4)), cell.blocks());
      StateRestriction mixed = StateSelection.parse("c,2:4", "-1").of(linearization);
      assertEquals(List.of(new StateBlock("h", 0, 2), new StateBlock("c", 2, 4)), mixed.blocks());
      assertEquals(2, mixed.rows());
      StateRestriction both = StateSelection.parse("c,h", null).of(linearization);
      assertTrue(both.isWhole());
      assertInstanceOf(NeuralTangentKernel.class, both.tangentKernel());
      assertInstanceOf(PropagationOperator.class, both.propagation());
      assertInstanceOf(ParameterJacobian.class, both.jacobian());
      assertTrue(StateSelection.parse(null, "all").isAll());
    }
  }

  @Test
  void whatIsNotThereIsRefused() {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 7)) {
      Linearization linearization = sample.linearize();
      for (String[] wrong :
          new String[][] {
            {"x", null, "state: expected blocks of [h, c]", "'x'"},
            {"0:9", null, "state: expected a part of the 8 units", "'0:9'"},
            {"3:3", null, "state", "'3:3'"},
            {null, "5", "steps: expected a part of the 5 steps", "'5'"},
            {null, "-6", "steps", "'-6'"},
            {null, "0:5:0", "steps", "'0:5:0'"}
          }) {
        StateSelection selection = StateSelection.parse(wrong[0], wrong[1]);
        refused(InputException.class, () -> selection.of(linearization), wrong[2], wrong[3]);
      }
      for (String steps :
          new String[] {"", "1,,2", "a", "1:2:3:4", "0:1:-1", "1.5", "12345678901"}) {
        refused(InputException.class, () -> StateSelection.parse(null, steps), "steps", "'");
      }
      refused(InputException.class, () -> StateSelection.parse("h,", null), "state", "''");
      refused(() -> StateSelection.all().of(null), "linearization", "null");
    }
  }
}
