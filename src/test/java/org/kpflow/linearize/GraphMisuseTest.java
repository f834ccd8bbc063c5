package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import org.junit.jupiter.api.Test;
import org.kpflow.GraphModels.Kind;
import org.kpflow.GraphModels.Sample;
import org.kpflow.GraphModels.Sizes;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What is no input of a feed-forward model is refused with one line. */
class GraphMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  @Test
  void inputsStatesAndTrajectoriesAreChecked() {
    try (Sample sample = new Sample(Kind.ATTENTION, DType.F64, Sizes.SMALL, 1);
        Tensor initial = Tensor.zeros(DType.F64, 2, 4);
        Tensor wide = Tensor.zeros(DType.F64, 2, 3, 7);
        Tensor four = Tensor.zeros(DType.F64, 1, 2, 3, 2);
        Tensor empty = Tensor.zeros(DType.F64, 0, 3, 2)) {
      refused(() -> along(sample, sample.inputs, initial, null), "initialState", "feed-forward");
      refused(() -> along(sample, wide, null, null), "inputs", "2", "7");
      refused(() -> along(sample, four, null, null), "inputs", "[B, n_in]", "[1, 2, 3, 2]");
      refused(() -> along(sample, empty, null, null), "inputs", "at least one trial");
      refused(() -> along(sample, sample.inputs, null, wide), "trajectory", "7");
      Linearization linearization = sample.linearize();
      refused(() -> linearization.stepJacobians(0, 1), "step");
      refused(() -> linearization.lyapunov(), "step");
      assertTrue(!linearization.stepsThroughTime());
    }
  }

  @Test
  void modesAreAskedForOfUnitsOfOneLayer() {
    try (Sample sample = new Sample(Kind.MLP_GELU, DType.F64, Sizes.SMALL, 1)) {
      Linearization linearization = sample.linearize();
      long n = linearization.units();
      long rows = linearization.rows();
      Tensor room = sample.keep(Tensor.zeros(DType.F64, 2, rows, rows));
      for (long[] bad :
          new long[][] {{n, 0}, {n, 1}, {n - 1, 2}, {-1, 1}, {-1, 0}, {1L << 40, 0}}) {
        refused(() -> modes(linearization, room, bad[0], bad[1]), "part of one layer");
      }
      assertEquals(0, modes(linearization, room, n - 1, 0).ranks().length);
      assertEquals(1, modes(linearization, room, n - 1, 1).ranks().length);
    }
  }

  private static LinearizationHandle.UnitModes modes(
      Linearization linearization, Tensor room, long first, long count) {
    long most = linearization.rows();
    return linearization
        .handle()
        .unitModes(room.memory(), null, first, count, 0, 0, most, room.memory(), room.memory());
  }

  private static void along(Sample sample, Tensor inputs, Tensor initial, Tensor trajectory) {
    Linearization.along(CONTEXT, sample.model, inputs, initial, trajectory).close();
  }

  @Test
  void inputsWithoutAnAxisOfStepsAreOneStep() {
    try (Sample sample = new Sample(Kind.MLP_GELU, DType.F64, new Sizes(5, 1, 2, 4, 1, 2), 2)) {
      Linearization steps = sample.linearize();
      Tensor flat = sample.inputs.reshape(Shape.of(5, 2));
      Linearization none = sample.keep(Linearization.of(CONTEXT, sample.model, flat, null));
      assertEquals(steps.stateShape(), none.stateShape());
      assertArrayEquals(
          sample.keep(steps.state()).toDoubles(), sample.keep(none.state()).toDoubles());
    }
  }

  @Test
  void aStateThatIsNotFiniteIsNamed() {
    for (Kind kind : Kind.values()) {
      try (Sample sample = new Sample(kind, DType.F32, Sizes.SMALL, 3)) {
        boolean norm = kind == Kind.SHARED_INPUTS; // x is normed at once: its variance overflows
        TensorMath.axpby(CONTEXT, norm ? 1e21 : 1e38, sample.inputs, 0, sample.inputs);
        sample.inputs.set(norm ? 1e22 : 3e38, 1, 2, 0);
        for (long i = 0; i < sample.model.families().size(); i++) {
          Tensor weight = sample.model.weight(sample.model.families().get((int) i).name());
          TensorMath.axpby(CONTEXT, 1e3, weight, 0, weight);
        }
        NumericalException failure = assertThrows(NumericalException.class, sample::linearize);
        assertTrue(
            failure.getMessage().matches(".*trial \\d, step \\d, block [A-Z]\\w*, unit.*try f64"),
            failure.getMessage());
      }
    }
  }

  @Test
  void anInterruptEndsAProduct() {
    try (Sample sample = new Sample(Kind.TRANSFORMER, DType.F32, Sizes.AWKWARD, 4)) {
      Linearization linearization = sample.linearize();
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      Tensor probes = sample.keep(Tensor.zeros(DType.F32, linearization.stateShape().block(8)));
      Thread.currentThread().interrupt();
      try {
        assertThrows(CancelledException.class, () -> ntk.matmat(probes).close());
      } finally {
        Thread.interrupted();
      }
      sample.keep(ntk.matmat(probes));
    }
  }
}
