package org.kpflow.flow;

import java.util.Arrays;
import java.util.function.UnaryOperator;
import org.kpflow.base.Checks;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.ColumnGram;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * All non-zero eigenvalues of the NTK, as those of L*L for the factor L = P ⊕_u U_u S_u with R
 * columns. R is the rank of K (its modes above 1e-14 of the largest), so neither the state nor the
 * weights have fewer dimensions. Where the rows are too many for the modes of K, they are those of
 * J*J on the weights, and where a part of the state has fewer numbers than either, those of its own
 * matrix (R J)(R J)*. Closing frees the eigenvectors.
 *
 * @param through factor, weights or state
 * @param dimension R, p or B T' n'
 * @param values descending, none below 0; what is below {@code floor} is rounding
 * @param floor the size that rounding can give an eigenvalue of zero
 * @param vectors [modes, B, T', n'], orthonormal eigenvectors of the leading ones
 */
public record KernelSpectrum(
    String through, long dimension, double[] values, double floor, Tensor vectors)
    implements AutoCloseable {
  private static final double EXACT_CUT = 1e-14;
  private static final long FEW_NUMBERS = 2048; // parts that are taken number by number

  /**
   * The spectrum of a linearization's NTK.
   *
   * @param modes eigenvectors wanted; fewer come if fewer eigenvalues stand clear of rounding
   * @throws MemoryException if there are more than {@value ColumnGram#MOST_COLUMNS} dimensions
   */
  public static KernelSpectrum of(Linearization linearization, int modes, Progress progress) {
    return of(StateRestriction.whole(linearization), modes, progress);
  }

  /** The spectrum of R NTK R*, the NTK of a part of the state. */
  public static KernelSpectrum of(StateRestriction selected, int modes, Progress progress) {
    Linearization linearization = Checks.notNull(selected, "selection").linearization();
    Checks.notNull(progress, "progress");
    Checks.that(modes >= 0, "modes: expected at least 0, got %d", modes);
    boolean manyRows = linearization.rows() > ParameterModes.MOST_ROWS;
    if (manyRows && linearization.parameterCount() <= selected.range().count()) {
      return ofWeights(selected, modes, progress);
    }
    boolean fewNumbers = !selected.isWhole() && selected.range().count() <= FEW_NUMBERS;
    if (manyRows || fewNumbers) {
      return ofState(selected, modes, progress);
    }
    progress.stage("modes of K", 0);
    double cut = Math.max(EXACT_CUT, Math.pow(linearization.dtype().epsilon(), 2));
    try (ParameterModes found = ParameterModes.forTangentKernel(selected, cut);
        KernelFactor factor = KernelFactor.ofTangentKernel(found)) {
      return factor.count() > selected.range().count()
          ? ofState(selected, modes, progress)
          : solve("factor", factor, selected.range(), modes, progress, factor::lift);
    }
  }

  /** The same through (R J)* R J. */
  static KernelSpectrum ofWeights(StateRestriction selected, int modes, Progress progress) {
    LinearOperator jacobian = selected.jacobian();
    return solve(
        "weights", new UnitVectors(jacobian), selected.range(), modes, progress, jacobian::matmat);
  }

  /** The same through R J (R J)*. */
  private static KernelSpectrum ofState(StateRestriction selected, int modes, Progress progress) {
    return solve(
        "state",
        new UnitVectors(selected.jacobian().adjoint()),
        selected.range(),
        modes,
        progress,
        w -> w.reshape(selected.range().block(w.shape().size(0))).copy());
  }

  /**
   * @param lift F w for a block of eigenvectors of F*F
   */
  private static KernelSpectrum solve(
      String through,
      ReducedViews.Columns columns,
      Shape state,
      int modes,
      Progress progress,
      UnaryOperator<Tensor> lift) {
    LinearOperator owner = columns.owner();
    if (columns.count() == 0) { // the NTK is zero
      Tensor none = owner.zeros(state.block(0));
      return new KernelSpectrum(through, 0, new double[0], 0, none);
    }
    try (Tensor gram = ColumnGram.of(columns, progress)) {
      progress.stage("all eigenvalues of the NTK", 0);
      try (DenseEigen eigen = DenseEigen.of(gram)) {
        double[] values = Arrays.stream(eigen.values()).map(v -> Math.max(v, 0)).toArray();
        double floor = Math.sqrt(values.length) * values[0] * owner.dtype().epsilon();
        int kept = 0;
        while (kept < Math.min(modes, values.length) && values[kept] > floor) {
          kept++;
        }
        Tensor vectors =
            kept == 0 ? owner.zeros(state.block(0)) : vectors(owner, eigen, kept, lift);
        return new KernelSpectrum(through, values.length, values, floor, vectors);
      }
    }
  }

  /** u = F w / ||F w||. */
  private static Tensor vectors(
      LinearOperator owner, DenseEigen eigen, int kept, UnaryOperator<Tensor> lift) {
    try (Tensor z = eigen.vectors().slice(0, kept).to(owner.device(), owner.dtype())) {
      Tensor vectors = lift.apply(z);
      try {
        for (int i = 0; i < kept; i++) {
          Tensor vector = vectors.slice(i);
          double norm = TensorMath.norm(owner.context(), vector);
          TensorMath.axpby(owner.context(), 0, vector, 1 / norm, vector);
        }
        return vectors;
      } catch (RuntimeException failure) {
        vectors.close();
        throw failure;
      }
    }
  }

  /** The columns F e_i of an operator F. */
  private record UnitVectors(LinearOperator factor) implements ReducedViews.Columns {
    @Override
    public LinearOperator owner() {
      return factor;
    }

    @Override
    public long count() {
      return factor.domain().count();
    }

    @Override
    public void fill(long first, Tensor out) {
      long s = out.shape().size(0);
      try (Tensor units = factor.zeros(factor.domain().block(s))) {
        Tensor corner = units.reshape(Shape.of(s * count())).slice(first, s * count() - first);
        TensorMath.fill(new long[] {s}, 1, corner, new long[] {count() + 1});
        factor.matmat(units, out);
      }
    }

    @Override
    public double restNorm(long leading) {
      return leading < count() ? Double.POSITIVE_INFINITY : 0;
    }

    @Override
    public double restTrace(long leading) {
      return restNorm(leading);
    }
  }

  @Override
  public void close() {
    vectors.close();
  }
}
