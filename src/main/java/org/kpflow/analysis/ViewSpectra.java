package org.kpflow.analysis;

import java.util.function.Consumer;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.BlockKrylovOptions;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigensolver;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Spectra and ranks of dense views, exact or sampled. */
final class ViewSpectra {
  private static final long FULL_SIZE = 4096; // larger views get their leading eigenvalues only
  private static final int LEADING = 100;
  private static final int LEAST_HALVES = 20; // modes compared between the halves of the samples
  private static final double AGREEMENT = 0.9;

  private static final double TOLERANCE = 1e-10;

  private final ExecutionContext context;
  private final Consumer<String> warnings;

  /**
   * @param warnings told when eigenvalues do not converge
   */
  ViewSpectra(ExecutionContext context, Consumer<String> warnings) {
    this.context = context;
    this.warnings = warnings;
  }

  ExecutionContext context() {
    return context;
  }

  /**
   * @param truncation a bound on the norm of what the matrix leaves out
   */
  ViewReport exact(Tensor matrix, String method, long products, double truncation) {
    double[] values = eigenvalues(matrix);
    double trace = trace(matrix);
    double norm = TensorMath.norm(context, matrix);
    boolean full = values.length == matrix.shape().size(0);
    SpectrumMetrics metrics = SpectrumMetrics.of(values);
    int modes95 = modes95(values, trace);
    return new ViewReport(
        matrix.shape().size(0),
        method,
        products,
        0,
        truncation == 0 ? 0 : truncation / values[0],
        Estimate.exact(trace),
        Estimate.exact(trace * trace / (norm * norm)),
        trace / values[0],
        full ? metrics.entropyRank() : Double.NaN,
        modes95,
        modes95,
        values.length,
        values);
  }

  ViewReport sampled(SampledViews views, View view, String method, long products) {
    Tensor matrix = views.matrix(view);
    double[] values = eigenvalues(matrix);
    boolean full = values.length == matrix.shape().size(0);
    Estimate trace = views.trace(view);
    int modes95 = modes95(values, trace.value());
    Halves halves = compareHalves(views, view, modes95);
    return new ViewReport(
        matrix.shape().size(0),
        method,
        products,
        views.relativeError(view),
        0,
        trace,
        views.participationRatio(view),
        trace.value() / values[0],
        full ? SpectrumMetrics.of(values).entropyRank() : Double.NaN,
        modes95,
        halves.modes95,
        halves.resolved,
        values);
  }

  /**
   * The leading eigenvectors of a view as rows [modes, d] in f64, with their eigenvalues: all that
   * were asked for, or those that converged, with a warning.
   */
  EigenPairs leading(Tensor matrix, int modes) {
    Shape shape = Shape.of(matrix.shape().size(0));
    int most = (int) Math.min(modes, shape.count());
    try {
      // A large matrix is read once for a whole block of vectors.
      Eigensolver solver =
          most > Eigensolver.MOST_SINGLE_MODES && shape.count() > FULL_SIZE
              ? Eigensolver.of(BlockKrylovOptions.largest(most).tolerance(TOLERANCE))
              : Eigensolver.of(LanczosOptions.largest(most).tolerance(TOLERANCE));
      return solver.solve(MatrixOperator.symmetric(context, shape, matrix));
    } catch (NoConvergenceException unfinished) {
      warnings.accept(unfinished.getMessage());
      return unfinished.partial();
    }
  }

  private double[] eigenvalues(Tensor matrix) {
    if (matrix.shape().size(0) <= FULL_SIZE) {
      return DenseEigen.values(matrix);
    }
    try (EigenPairs pairs = leading(matrix, LEADING)) {
      return pairs.values();
    }
  }

  /** Modes that carry 95 % of the trace; -1 if those given do not; 0 for the zero matrix. */
  private static int modes95(double[] values, double trace) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += Math.max(values[i], 0);
      if (trace > 0 && sum >= SpectrumMetrics.SHARE * trace * (1 - 1e-12)) {
        return i + 1;
      }
    }
    return trace > 0 ? -1 : 0;
  }

  static double trace(Tensor matrix) {
    long d = matrix.shape().size(0);
    try (Tensor sum = Tensor.zeros(matrix.device(), DType.F64, Shape.of(1))) {
      TensorMath.strided(new long[] {d}, 1, matrix, new long[] {d + 1}, 1, sum, new long[] {0});
      return sum.get(0);
    }
  }

  private record Halves(int modes95, int resolved) {}

  /**
   * Modes of each half of the samples, judged by the other half, whose noise is independent: how
   * much they carry there, and how far the two leading subspaces agree (the smallest cosine of
   * their principal angles).
   */
  private Halves compareHalves(SampledViews views, View view, int modes95) {
    int most = Math.min(LEADING, Math.max(LEAST_HALVES, modes95 + modes95 / 2));
    try (Tensor first = views.half(view, 0);
        Tensor second = views.half(view, 1);
        EigenPairs ofFirst = leading(first, most);
        EigenPairs ofSecond = leading(second, most)) {
      double[] carried = quotients(ofFirst.vectors(), second);
      double[] carriedBack = quotients(ofSecond.vectors(), first);
      double[] mean = new double[Math.min(carried.length, carriedBack.length)];
      for (int i = 0; i < mean.length; i++) {
        mean[i] = (carried[i] + carriedBack[i]) / 2;
      }
      int resolved = 0;
      for (int modes = 1; modes <= mean.length; modes++) {
        if (agreement(ofFirst.vectors(), ofSecond.vectors(), modes) >= AGREEMENT) {
          resolved = modes;
        }
      }
      return new Halves(modes95(mean, views.trace(view).value()), resolved);
    }
  }

  /** u_iᵀ M u_i for each row of vectors. */
  private double[] quotients(Tensor vectors, Tensor matrix) {
    try (Tensor products = context.zeros(DType.F64, vectors.shape())) {
      TensorMath.gemm(context, false, false, 1, vectors, matrix, 0, products);
      return TensorMath.dots(context, vectors, products);
    }
  }

  /** Smallest cosine between the spans of the first m rows. */
  private double agreement(Tensor a, Tensor b, int m) {
    try (Tensor overlap = context.zeros(DType.F64, m, m)) {
      TensorMath.gemm(context, false, true, 1, a.slice(0, m), b.slice(0, m), 0, overlap);
      return DenseEigen.singularValues(overlap)[m - 1];
    }
  }
}
