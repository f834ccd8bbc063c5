package org.kpflow.experiment;

import org.kpflow.base.DType;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What part of a matrix lies in the column space of another. */
final class ColumnSpace {
  private static final double CUT = 1e-10; // of the largest eigenvalue of XᵀX

  private ColumnSpace() {}

  /** ||Π A||_F² / ||A||_F² with the projector Π on the columns of X; X [k, m] and A [k, n]. */
  static double share(ExecutionContext context, Tensor x, Tensor a) {
    long m = x.shape().size(1);
    long n = a.shape().size(1);
    try (Tensor basis = x.to(DType.F64);
        Tensor given = a.to(DType.F64);
        Tensor gram = Tensor.zeros(DType.F64, m, m);
        Tensor cross = Tensor.zeros(DType.F64, m, n);
        Tensor projected = Tensor.zeros(DType.F64, m, n)) {
      TensorMath.gemm(context, true, false, 1, basis, basis, 0, gram); // XᵀX = Uᵀ Λ U
      TensorMath.gemm(context, true, false, 1, basis, given, 0, cross); // XᵀA
      double inside = 0;
      try (DenseEigen eigen = DenseEigen.of(gram)) {
        TensorMath.gemm(context, false, false, 1, eigen.vectors(), cross, 0, projected); // U XᵀA
        for (int i = 0; i < m; i++) { // ||Π A||² = Σ_i ||(U XᵀA)_i||² / λ_i
          double lambda = eigen.values()[i];
          if (lambda > CUT * eigen.values()[0]) {
            Tensor row = projected.slice(i);
            inside += TensorMath.dot(context, row, row) / lambda;
          }
        }
      }
      return inside / TensorMath.dot(context, given, given);
    }
  }
}
