package org.kpflow.estimate;

import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Operators to estimate, and what is true of them. */
final class Samples {
  private Samples() {}

  /** The same operator with nothing known of it but its products. */
  static LinearOperator opaque(LinearOperator operator) {
    return operator.isSelfAdjoint()
        ? FunctionOperator.selfAdjoint(
            operator.context(), operator.domain(), operator.dtype(), operator::matmat)
        : FunctionOperator.of(
            operator.context(),
            operator.domain(),
            operator.range(),
            operator.dtype(),
            operator::matmat,
            operator::rmatmat);
  }

  /**
   * U diag(λ_0, λ_1, …) Uᵀ with a random orthogonal U, symmetric to the last bit, [n, n] in f64.
   */
  static Tensor withSpectrum(int n, long seed, IntToDoubleFunction eigenvalue) {
    ExecutionContext context = ExecutionContext.shared();
    Random random = new Random(seed);
    double[] gaussian = random.doubles((long) n * n, -1, 1).toArray();
    try (Tensor u = Tensor.of(Shape.of(n, n), gaussian);
        Tensor scaled = Tensor.zeros(DType.F64, n, n)) {
      TensorMath.orthonormalizeRows(u);
      for (int i = 0; i < n; i++) {
        TensorMath.axpby(context, eigenvalue.applyAsDouble(i), u.slice(i), 0, scaled.slice(i));
      }
      try (Tensor product = Tensor.zeros(DType.F64, n, n)) {
        TensorMath.gemm(context, true, false, 1, u, scaled, 0, product);
        double[] a = product.toDoubles();
        for (int i = 0; i < n; i++) {
          for (int j = 0; j < i; j++) {
            a[j * n + i] = a[i * n + j];
          }
        }
        return Tensor.of(Shape.of(n, n), a);
      }
    }
  }

  /** A tensor's elements less those of another, in Frobenius norm. */
  static double distance(Tensor a, Tensor b) {
    double[] left = a.toDoubles();
    double[] right = b.toDoubles();
    double squares = 0;
    for (int i = 0; i < left.length; i++) {
      squares += (left[i] - right[i]) * (left[i] - right[i]);
    }
    return Math.sqrt(squares);
  }
}
