package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.StateRestriction;
import org.kpflow.model.Readout;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.ReadoutMath;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * How objectives help or hinder each other: M_ab = <e_a, NTK e_b> for their errors e_a = dL_a/dh on
 * the whole state or a part of it. A gradient step on objective b lowers objective a at the rate
 * M_ab. Since NTK = J J*, M is the Gram matrix of the gradients J* e_a, so that it takes no product
 * with the NTK.
 *
 * @param names one per objective
 * @param inner M [m][m]
 */
public record ObjectiveAlignment(List<String> names, double[][] inner) {
  private static final long BLOCK_BYTES = 256L << 20; // of errors that go through J* together
  private static final long COLUMNS = 1L << 16; // of gradients that are multiplied in f64 together

  private interface Errors {
    /** Writes the error of an objective into a state that is zero. */
    void write(int objective, Tensor state);
  }

  /** Copies the names. */
  public ObjectiveAlignment {
    names = List.copyOf(names);
  }

  /**
   * M of given errors [m, B, T', n'], from one block product with (R J)*.
   *
   * @throws IllegalArgumentException if the errors are not m states
   */
  public static ObjectiveAlignment ofErrors(
      StateRestriction selected, List<String> names, Tensor errors) {
    Checks.shape("errors", selected.range().block(names.size()), errors.shape());
    Checks.dtype("errors", selected.dtype(), errors.dtype());
    try (Tensor gradients = selected.jacobian().rmatmat(errors)) {
      return new ObjectiveAlignment(names, gram(selected.context(), gradients));
    }
  }

  /** M of the trials: the error [B, T', n'] restricted to each, from one product. */
  public static ObjectiveAlignment ofTrials(StateRestriction selected, Tensor error) {
    try (Tensor gradients = selected.trialJacobian().rmatvec(error)) { // [B, p]
      List<String> names =
          LongStream.range(0, selected.range().size(0)).mapToObj(b -> "trial " + b).toList();
      return new ObjectiveAlignment(names, gram(selected.context(), gradients));
    }
  }

  /**
   * M of groups of trials: the error [B, T', n'] restricted to the trials of each label.
   *
   * @throws IllegalArgumentException if there is not one label per trial
   */
  public static ObjectiveAlignment ofGroups(
      StateRestriction selected, Tensor error, Objectives groups) {
    long trials = selected.range().size(0);
    Checks.that(
        groups.labels().length == trials,
        "objectives: expected one label for each of %d trials, got %d",
        trials,
        groups.labels().length);
    List<Long> labels = groups.distinctLabels();
    Errors restricted =
        (objective, state) -> {
          for (int b = 0; b < groups.labels().length; b++) {
            if (groups.labels()[b] == labels.get(objective)) {
              state.slice(b).copyFrom(error.slice(b));
            }
          }
        };
    return of(selected, labels.stream().map(label -> "group " + label).toList(), restricted);
  }

  /**
   * M of the output channels: the squared error of each channel alone, over all entries that count,
   * so that the errors add up to that of the loss.
   *
   * @param readout of R h
   * @param targets [B, T', n_out]
   * @param mask [B, T'], 1 where the entries of a step count and 0 elsewhere; null for all
   */
  public static ObjectiveAlignment ofOutputs(
      StateRestriction selected, Readout readout, Tensor targets, Tensor mask) {
    long outputs = readout.outputs();
    long rows = selected.rows();
    List<String> names = LongStream.range(0, outputs).mapToObj(a -> "output " + a).toList();
    try (Tensor state = selected.state();
        Tensor wanted = targets.to(selected.dtype());
        Tensor error = readout.apply(state)) { // y, from the next line on ∂L/∂y
      ReadoutMath.meanSquaredError(selected.context(), error, wanted, mask);
      Errors channel =
          (objective, into) -> {
            try (Tensor only = selected.zeros(error.shape())) {
              column(error, only, objective, outputs, rows);
              try (Tensor lifted = readout.lift(only, selected.range().size(2))) {
                into.copyFrom(lifted);
              }
            }
          };
      return of(selected, names, channel);
    }
  }

  /** to[:, a] = from[:, a] of matrices [rows, outputs]. */
  private static void column(Tensor from, Tensor to, long a, long outputs, long rows) {
    Shape flat = Shape.of(rows * outputs);
    long[] stride = {outputs};
    TensorMath.strided(
        new long[] {rows},
        1,
        from.reshape(flat).slice(a, rows * outputs - a),
        stride,
        0,
        to.reshape(flat).slice(a, rows * outputs - a),
        stride);
  }

  /** The gradients of all objectives, their errors in blocks of bounded size. */
  private static ObjectiveAlignment of(
      StateRestriction selected, List<String> names, Errors errors) {
    LinearOperator jacobian = selected.jacobian();
    Shape state = selected.range();
    int count = names.size();
    int block =
        (int)
            Math.max(1, Math.min(count, BLOCK_BYTES / (state.count() * selected.dtype().bytes())));
    try (Tensor gradients = selected.zeros(count, selected.linearization().parameterCount())) {
      for (int first = 0; first < count; first += block) {
        int size = Math.min(block, count - first);
        try (Tensor part = selected.zeros(state.block(size))) {
          for (int i = 0; i < size; i++) {
            errors.write(first + i, part.slice(i));
          }
          jacobian.rmatmat(part, gradients.slice(first, size));
        }
      }
      return new ObjectiveAlignment(names, gram(selected.context(), gradients));
    }
  }

  /** G Gᵀ of gradients [m, p], accumulated in f64. */
  private static double[][] gram(ExecutionContext context, Tensor gradients) {
    long m = gradients.shape().size(0);
    long p = gradients.shape().size(1);
    Tensor flat = gradients.reshape(Shape.of(m * p));
    try (Tensor sum = context.zeros(DType.F64, m, m)) {
      for (long first = 0; first < p; first += COLUMNS) {
        long width = Math.min(COLUMNS, p - first);
        try (Tensor wide = context.zeros(DType.F64, m, width)) {
          TensorMath.strided(
              new long[] {m, width},
              1,
              flat.slice(first, m * p - first),
              new long[] {p, 1},
              0,
              wide,
              new long[] {width, 1});
          TensorMath.gemm(context, false, true, 1, wide, wide, 1, sum);
        }
      }
      int count = (int) m;
      double[] all = sum.toDoubles();
      double[][] inner = new double[count][];
      for (int a = 0; a < count; a++) {
        inner[a] = Arrays.copyOfRange(all, a * count, (a + 1) * count);
      }
      return inner;
    }
  }

  /** M_ab / √(M_aa M_bb); NaN where an objective's gradient is zero. */
  public double[][] cosines() {
    int m = inner.length;
    double[][] cosines = new double[m][m];
    for (int a = 0; a < m; a++) {
      for (int b = 0; b < m; b++) {
        boolean defined = inner[a][a] > 0 && inner[b][b] > 0;
        cosines[a][b] =
            defined ? inner[a][b] / (Math.sqrt(inner[a][a]) * Math.sqrt(inner[b][b])) : Double.NaN;
      }
    }
    return cosines;
  }

  /** The objectives whose gradient is zero. */
  List<String> undefined() {
    List<String> zero = new ArrayList<>();
    for (int a = 0; a < inner.length; a++) {
      if (!(inner[a][a] > 0)) {
        zero.add(names.get(a));
      }
    }
    return zero;
  }
}
