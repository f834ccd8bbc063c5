package org.kpflow.estimate;

import java.util.Arrays;
import java.util.Optional;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * XTrace (Epperly, Tropp, Webber 2024, SIAM J. Matrix Anal. Appl. 45, and its supplement for this
 * form). For test vectors ω_1, …, ω_m, with P_i the projector on the span of A ω_j, j ≠ i,
 *
 * <pre>
 *   t_i = tr(P_i A) + ⟨(I - P_i) ω_i, A (I - P_i) ω_i⟩,      the result is the mean of the t_i.
 * </pre>
 *
 * All P_i come from one QR factorization: with A ω_i = Q r_i, P_i = Q (I - s_i s_iᵀ) Qᵀ where s_i
 * is the unit vector with ⟨s_i, r_j⟩ = 0 for j ≠ i. With H = Qᵀ A Q, w_i = Qᵀ ω_i, u_i = Qᵀ A* ω_i
 * and x_i = (I - s_i s_iᵀ) w_i,
 *
 * <pre>
 *   t_i = tr H - ⟨s_i, H s_i⟩ + c_i (⟨s_i, w_i⟩ ⟨s_i, r_i⟩ - ⟨u_i, x_i⟩ + ⟨x_i, H x_i⟩).
 * </pre>
 *
 * c_i = (N - m + 1) / ||(I - P_i) ω_i||² brings the residual probes back to the sphere of their
 * space; that is unbiased for distributions without a preferred direction only, and 1 for signs.
 */
final class XTrace implements AutoCloseable {
  private static final double LARGE = 1e150;

  private final ExecutionContext context; // of the CPU
  private final long size; // N
  private final int vectors; // m
  private final Tensor h; // H [m, m]; this and what follows in f64 on the CPU
  private final Tensor r; // rows r_i
  private final Tensor w; // rows w_i
  private final Tensor u; // rows u_i
  private final double[] squares; // ||ω_i||²

  private XTrace(LinearOperator operator, Tensor omega, Tensor images, Tensor basis) {
    context = operator.context().host();
    size = operator.domain().count();
    vectors = (int) omega.shape().size(0);
    squares = TensorMath.dots(operator.context(), omega, omega);
    Tensor[] made = new Tensor[4];
    try {
      made[0] = inner(operator, images, basis);
      made[1] = inner(operator, omega, basis);
      Optional<LinearOperator> factor =
          operator.gramFactor().filter(f -> f.domain().count() <= size); // else F* Q is large
      try (Tensor z = factor.isPresent() ? factor.get().rmatmat(basis) : operator.matmat(basis)) {
        made[2] = inner(operator, factor.isPresent() ? z : basis, z); // Qᵀ A Q, or (F* Q)ᵀ F* Q
        made[3] =
            operator.isSelfAdjoint() || factor.isPresent()
                ? inner(operator, images, basis)
                : inner(operator, omega, z);
      }
    } catch (RuntimeException | Error failure) {
      close(made);
      throw failure;
    }
    r = made[0];
    w = made[1];
    h = made[2];
    u = made[3];
  }

  /** The estimate from m test vectors, twice as many products. */
  static Estimate of(LinearOperator operator, int wanted, Sampler sampler) {
    int vectors = (int) Math.min(wanted, operator.domain().count());
    Shape block = operator.domain().block(vectors);
    try (Tensor omega = operator.zeros(block)) {
      sampler.fill(operator.context(), 0, omega);
      try (Tensor images = operator.matmat(omega)) {
        double[] norms = TensorMath.dots(operator.context(), images, images);
        Sampling.finite(operator, norms);
        if (Arrays.stream(norms).allMatch(norm -> norm == 0)) {
          return new Estimate(0, 0, vectors, sampler.seed());
        }
        try (Tensor basis = images.copy()) {
          TensorMath.orthonormalizeRows(Sampling.rows(basis));
          try (XTrace estimator = new XTrace(operator, omega, images, basis)) {
            return estimator.estimate(operator, sampler);
          }
        }
      }
    }
  }

  private Estimate estimate(LinearOperator operator, Sampler sampler) {
    double[] matrix = Sampling.finite(operator, h.toDoubles());
    double trace = 0;
    for (int i = 0; i < vectors; i++) {
      trace += matrix[i * (vectors + 1)];
    }
    if (vectors == size) { // Q spans the whole space
      return Estimate.exact(trace, 2L * vectors);
    }
    boolean spherical = sampler.distribution() != ProbeDistribution.RADEMACHER;
    return leaveOneOut(operator, trace, spherical, sampler.seed());
  }

  /** The mean of t_1, …, t_m with the error of their spread and of their covariance. */
  private Estimate leaveOneOut(
      LinearOperator operator, double trace, boolean spherical, long seed) {
    Shape square = h.shape();
    try (Tensor s = Tensor.of(square, orthogonalToOthers(r.toDoubles(), vectors));
        Tensor x = w.copy();
        Tensor hs = Tensor.zeros(DType.F64, square);
        Tensor hx = Tensor.zeros(DType.F64, square)) {
      double[] sw = TensorMath.dots(context, s, w);
      for (int i = 0; i < vectors; i++) {
        TensorMath.axpby(context, -sw[i], s.slice(i), 1, x.slice(i));
      }
      TensorMath.gemm(context, false, true, 1, s, h, 0, hs);
      TensorMath.gemm(context, false, true, 1, x, h, 0, hx);
      double[] shs = TensorMath.dots(context, s, hs);
      double[] xhx = TensorMath.dots(context, x, hx);
      double[] sr = TensorMath.dots(context, s, r);
      double[] ux = TensorMath.dots(context, u, x);
      double[] xx = TensorMath.dots(context, x, x);
      double[] t = new double[vectors];
      for (int i = 0; i < vectors; i++) {
        double scale = spherical ? (size - vectors + 1) / (squares[i] - xx[i]) : 1;
        t[i] = trace - shs[i] + scale * (sw[i] * sr[i] - ux[i] + xhx[i]);
      }
      Estimate spread = Estimate.ofSamples(Sampling.finite(operator, t), 2L * vectors, seed);
      double dimension = spherical ? size - vectors + 2 : Double.NaN;
      double covariance =
          new XTraceCovariance(context, h, s, w, u, sr, squares, trace, dimension).mean(t);
      return spread.derived(
          spread.value(),
          Math.sqrt(spread.standardError() * spread.standardError() + Math.max(covariance, 0)));
    }
  }

  /**
   * Unit rows s_i with ⟨s_i, r_j⟩ = 0 for j ≠ i: the columns of L⁻¹, scaled, where row j of the
   * lower triangular L [m, m] is r_j. A diagonal element lost in rounding, as of an operator of low
   * rank, is replaced by one of rounding size; any unit vector orthogonal to the others will do
   * then.
   */
  static double[] orthogonalToOthers(double[] lower, int m) {
    double largest = Arrays.stream(lower).map(Math::abs).max().orElse(0);
    double least = DType.F64.epsilon() * largest;
    double[] rows = new double[m * m];
    double[] c = new double[m];
    for (int i = 0; i < m; i++) { // L c = e_i, forwards from c_i on
      Arrays.fill(c, 0);
      for (int j = i; j < m; j++) {
        double sum = j == i ? 1 : 0;
        for (int k = i; k < j; k++) {
          sum -= lower[j * m + k] * c[k];
        }
        double pivot = lower[j * m + j];
        c[j] = sum / (Math.abs(pivot) > least ? pivot : least);
        if (Math.abs(c[j]) > LARGE) {
          Arrays.setAll(c, k -> c[k] / LARGE); // only the direction matters
        }
      }
      double norm = norm(c);
      for (int j = 0; j < m; j++) {
        rows[i * m + j] = c[j] / norm;
      }
    }
    return rows;
  }

  private static double norm(double[] c) {
    double largest = Arrays.stream(c).map(Math::abs).max().orElse(0);
    return largest * Math.sqrt(Arrays.stream(c).map(v -> v / largest * (v / largest)).sum());
  }

  /** ⟨a_i, b_j⟩ of two blocks, [a, b] in f64 on the CPU. */
  private static Tensor inner(LinearOperator operator, Tensor a, Tensor b) {
    ExecutionContext context = operator.context();
    Tensor left = Sampling.rows(a);
    Tensor right = Sampling.rows(b);
    try (Tensor products = context.zeros(a.dtype(), left.shape().size(0), right.shape().size(0))) {
      TensorMath.gemm(context, false, true, 1, left, right, 0, products);
      return products.to(Device.CPU, DType.F64);
    }
  }

  @Override
  public void close() {
    close(h, r, w, u);
  }

  private static void close(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      if (tensor != null) {
        tensor.close();
      }
    }
  }
}
