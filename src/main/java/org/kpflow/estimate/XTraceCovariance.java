package org.kpflow.estimate;

import org.kpflow.base.DType;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The covariance of two leave-one-out estimates t_i, t_j of {@link XTrace}, which share m - 2 test
 * vectors: their spread alone does not show it. Let t_i^(j) be t_i without ω_j in its sketch, and
 * d_ij = t_i - t_i^(j). Given the other vectors, t_i^(j) and t_j^(i) are independent; given ω_j
 * too, t_i and t_i^(j) have the same mean, so that d_ij has mean 0. What is left of the covariance
 * is
 *
 * <pre>
 *   cov(t_i, t_j) = E d_ij d_ji,      var(mean of t) = var(t) spread / m + E d_ij d_ji.
 * </pre>
 *
 * It is an estimate from sketches with one vector less than those of the t_i, so where a single
 * vector matters much (a spectrum that ends, or falls very fast) its noise is larger than the
 * error; it is used where it is positive, and the standard error is then too large rather than too
 * small.
 *
 * <p>All t_i^(j) come from the numbers of XTrace: the space left out is spanned by s_i and s_j.
 */
final class XTraceCovariance {
  private static final double LEAST_ANGLE = 1e-10; // below, s_i and s_j are one up to rounding

  private final int m;
  private final double[] ss; // ⟨s_i, s_j⟩, all [m, m]
  private final double[] sw; // ⟨s_i, w_j⟩
  private final double[] su; // ⟨s_i, u_j⟩
  private final double[] shs; // ⟨s_i, H s_j⟩, H symmetrized
  private final double[] shw; // ⟨s_i, H w_j⟩
  private final double[] whw; // ⟨w_i, H w_i⟩, all [m]
  private final double[] ww;
  private final double[] uw;
  private final double[] sr; // ⟨s_i, r_i⟩
  private final double[] squares; // ||ω_i||²
  private final double trace; // tr H
  private final double rest; // N - m + 2, the dimension outside of m - 2 vectors; NaN for signs

  XTraceCovariance(
      ExecutionContext context,
      Tensor h,
      Tensor s,
      Tensor w,
      Tensor u,
      double[] sr,
      double[] squares,
      double trace,
      double rest) {
    this.m = squares.length;
    this.sr = sr;
    this.squares = squares;
    this.trace = trace;
    this.rest = rest;
    try (Tensor symmetric = h.copy();
        Tensor hs = Tensor.zeros(DType.F64, h.shape());
        Tensor hw = Tensor.zeros(DType.F64, h.shape())) {
      long[] rows = {m, 1};
      TensorMath.strided(
          new long[] {m, m}, 0.5, h, new long[] {1, m}, 0.5, symmetric, rows); // (H + Hᵀ) / 2
      TensorMath.gemm(context, false, false, 1, s, symmetric, 0, hs);
      TensorMath.gemm(context, false, false, 1, w, symmetric, 0, hw);
      this.ss = products(context, s, s);
      this.sw = products(context, s, w);
      this.su = products(context, s, u);
      this.shs = products(context, s, hs);
      this.shw = products(context, s, hw);
      this.whw = TensorMath.dots(context, w, hw);
      this.ww = TensorMath.dots(context, w, w);
      this.uw = TensorMath.dots(context, u, w);
    }
  }

  private static double[] products(ExecutionContext context, Tensor a, Tensor b) {
    try (Tensor out = Tensor.zeros(DType.F64, a.shape())) {
      TensorMath.gemm(context, false, true, 1, a, b, 0, out);
      return out.toDoubles();
    }
  }

  /** The mean of d_ij d_ji over pairs. */
  double mean(double[] t) {
    double sum = 0;
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < i; j++) {
        double cosine = ss[i * m + j];
        if (1 - cosine * cosine > LEAST_ANGLE) {
          sum += (t[i] - without(i, j)) * (t[j] - without(j, i));
        }
      }
    }
    return 2 * sum / m / (m - 1.0);
  }

  /**
   * t_i^(j) = tr H - Σ ⟨b, H b⟩ + c (Σ ⟨b, w_i⟩ ⟨b, r_i⟩ - ⟨u_i, x⟩ + ⟨x, H x⟩) with the
   * orthonormal b = s_i and (s_j - cos s_i) / sin, and x = w_i - Σ ⟨b, w_i⟩ b.
   */
  private double without(int i, int j) {
    int ii = i * m + i;
    int ji = j * m + i;
    int jj = j * m + j;
    double cos = ss[ji];
    double sin = Math.sqrt(1 - cos * cos);
    double w1 = sw[ii];
    double w2 = (sw[ji] - cos * w1) / sin;
    double u1 = su[ii];
    double u2 = (su[ji] - cos * u1) / sin;
    double h11 = shs[ii];
    double h12 = (shs[ji] - cos * h11) / sin;
    double h22 = (shs[jj] - 2 * cos * shs[ji] + cos * cos * h11) / (sin * sin);
    double hw1 = shw[ii];
    double hw2 = (shw[ji] - cos * hw1) / sin;
    double br = w1 * sr[i] - w2 * cos / sin * sr[i]; // ⟨s_j, r_i⟩ = 0
    double ux = uw[i] - w1 * u1 - w2 * u2;
    double xhx =
        whw[i] - 2 * (w1 * hw1 + w2 * hw2) + w1 * w1 * h11 + 2 * w1 * w2 * h12 + w2 * w2 * h22;
    double outside = squares[i] - ww[i] + w1 * w1 + w2 * w2; // ||(I - P) ω_i||²
    double scale = Double.isNaN(rest) ? 1 : rest / outside;
    return trace - h11 - h22 + scale * (br - ux + xhx);
  }
}
