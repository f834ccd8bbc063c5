package org.kpflow.estimate;

import java.util.Arrays;
import java.util.Optional;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Estimate;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * XNysTrace (Epperly, Tropp, Webber 2024) for positive semidefinite A: as {@link XTrace}, but with
 * the Nyström approximation A⟨Ω⟩ = Y H⁻¹ Yᵀ, Y = A Ω, H = Ωᵀ Y, in place of the projection, which
 * takes no products beyond A Ω. With Ω_i all test vectors but ω_i, and K = H⁻¹,
 *
 * <pre>
 *   t_i = tr A⟨Ω_i⟩ + c_i ⟨ω_i, (A - A⟨Ω_i⟩) ω_i⟩
 *       = tr A⟨Ω⟩ - ||Y K e_i||² / K_ii + c_i / K_ii
 * </pre>
 *
 * since A⟨Ω⟩ is exact on the ω_i. c_i = (N - m + 1) / ||(I - P_i) ω_i||², P_i the projector on the
 * span of Ω_i, brings the part of ω_i that counts back to the sphere; 1 for signs. A is shifted by
 * a multiple ν of the identity of the size of rounding, so that H is definite, and ν N is taken
 * off.
 *
 * <p>The estimates with two vectors left out give the covariance as in {@link XTraceCovariance}.
 */
final class XNysTrace {
  private static final int MOST_SHIFTS = 4;

  private final int m;
  private final double trace; // tr A⟨Ω⟩ - ν N
  private final double[] k; // K = H⁻¹ [m, m]
  private final double[] zz; // ⟨Y K e_i, Y K e_j⟩ [m, m]
  private final double[] g; // (Ωᵀ Ω)⁻¹ [m, m]; null for signs
  private final double outside; // N - m

  private XNysTrace(int m, double trace, double[] k, double[] zz, double[] g, double outside) {
    this.m = m;
    this.trace = trace;
    this.k = k;
    this.zz = zz;
    this.g = g;
    this.outside = outside;
  }

  /** The estimate from m test vectors, as many products. */
  static Estimate of(LinearOperator operator, int wanted, Sampler sampler) {
    ExecutionContext context = operator.context();
    long size = operator.domain().count();
    if (wanted >= size) {
      return overBasis(operator, sampler);
    }
    Shape block = operator.domain().block(wanted);
    try (Tensor omega = operator.zeros(block)) {
      sampler.fill(context, 0, omega);
      try (Tensor images = operator.matmat(omega)) {
        double[] squares = TensorMath.dots(context, images, images);
        double norm = Math.sqrt(Arrays.stream(Sampling.finite(operator, squares)).sum());
        if (norm == 0) {
          return new Estimate(0, 0, wanted, sampler.seed());
        }
        double shift = operator.dtype().epsilon() * norm / Math.sqrt(size);
        for (int i = 0; i < MOST_SHIFTS; i++, shift *= 10) {
          Optional<Estimate> estimate = shifted(operator, omega, images, shift, sampler);
          if (estimate.isPresent()) {
            return estimate.get();
          }
        }
        throw new NumericalException(
            operator
                + ": ⟨x, A x⟩ is negative for probes x; expected a positive semidefinite operator");
      }
    }
  }

  /** The trace over an orthonormal basis of the whole space. */
  private static Estimate overBasis(LinearOperator operator, Sampler sampler) {
    long size = operator.domain().count();
    try (Tensor basis = operator.zeros(operator.domain().block(size))) {
      sampler.as(ProbeDistribution.GAUSSIAN).fill(operator.context(), 0, basis);
      TensorMath.orthonormalizeRows(Sampling.rows(basis));
      double[] forms = Sampling.finite(operator, TraceEstimator.forms(operator, basis));
      return Estimate.exact(Arrays.stream(forms).sum(), size);
    }
  }

  /** The estimate with A + ν I, or empty if H is not definite. */
  private static Optional<Estimate> shifted(
      LinearOperator operator, Tensor omega, Tensor images, double shift, Sampler sampler) {
    ExecutionContext context = operator.context();
    int m = (int) omega.shape().size(0);
    long size = operator.domain().count();
    try (Tensor y = images.copy()) {
      TensorMath.axpby(context, shift, omega, 1, y);
      Optional<Cholesky> h = Cholesky.of(inner(context, omega, y), m);
      Optional<Cholesky> spheres = Cholesky.of(inner(context, omega, omega), m);
      boolean signs = sampler.distribution() == ProbeDistribution.RADEMACHER;
      if (h.isEmpty() || spheres.isEmpty() && !signs) {
        return Optional.empty();
      }
      double[] root; // C⁻¹ Rᵀ with Y = Q R, tr A⟨Ω⟩ = ||root||²
      try (Tensor basis = y.copy()) {
        TensorMath.orthonormalizeRows(Sampling.rows(basis));
        root = h.get().solveLower(inner(context, y, basis));
      }
      double trace = Arrays.stream(root).map(value -> value * value).sum() - shift * size;
      Sampling.finite(operator, trace);
      double[] zz;
      Shape square = Shape.of(m, m);
      try (Tensor z = Tensor.of(square, h.get().solveUpper(root))) {
        zz = inner(context.host(), z, z);
      }
      double[] g = signs ? null : spheres.get().inverse();
      XNysTrace estimator = new XNysTrace(m, trace, h.get().inverse(), zz, g, (double) size - m);
      return Optional.of(estimator.estimate(operator, sampler.seed()));
    }
  }

  /** ⟨a_i, b_j⟩ of two blocks, in f64. */
  private static double[] inner(ExecutionContext context, Tensor a, Tensor b) {
    Tensor left = Sampling.rows(a);
    Tensor right = Sampling.rows(b);
    try (Tensor products = context.zeros(a.dtype(), left.shape().size(0), right.shape().size(0))) {
      TensorMath.gemm(context, false, true, 1, left, right, 0, products);
      try (Tensor wide = products.to(Device.CPU, DType.F64)) {
        return wide.toDoubles();
      }
    }
  }

  private Estimate estimate(LinearOperator operator, long seed) {
    double[] t = new double[m];
    for (int i = 0; i < m; i++) {
      int ii = i * (m + 1);
      double scale = g == null ? 1 : (outside + 1) * g[ii]; // ||(I - P_i) ω_i||² = 1 / g_ii
      t[i] = trace + (scale - zz[ii]) / k[ii];
    }
    Estimate spread = Estimate.ofSamples(Sampling.finite(operator, t), m, seed);
    double covariance = 0; // the mean of d_ij d_ji
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < i; j++) {
        double determinant = determinant(k, i, j);
        if (determinant > DType.F64.epsilon() * k[i * (m + 1)] * k[j * (m + 1)]) {
          covariance +=
              (t[i] - without(i, j, determinant))
                  * (t[j] - without(j, i, determinant))
                  * 2
                  / (m * (m - 1.0));
        }
      }
    }
    double variance = spread.standardError() * spread.standardError();
    return spread.derived(spread.value(), Math.sqrt(variance + Math.max(covariance, 0)));
  }

  /**
   * t_i with ω_j left out too: with the 2 × 2 block K₂ of K at i and j, tr A⟨Ω⟩ - tr(K₂⁻¹ Z₂) + c
   * (K₂⁻¹)_ii, Z₂ the block of zz, and ||(I - P) ω_i||² the same element of the inverse block of g.
   */
  private double without(int i, int j, double determinant) {
    int ii = i * (m + 1);
    int jj = j * (m + 1);
    int ij = i * m + j;
    double removed = (k[jj] * zz[ii] - 2 * k[ij] * zz[ij] + k[ii] * zz[jj]) / determinant;
    double scale = g == null ? 1 : (outside + 2) * determinant(g, i, j) / g[jj];
    return trace - removed + scale * k[jj] / determinant;
  }

  /** Of the 2 × 2 block at i and j. */
  private double determinant(double[] a, int i, int j) {
    return a[i * (m + 1)] * a[j * (m + 1)] - a[i * m + j] * a[i * m + j];
  }
}
