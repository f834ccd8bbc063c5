package org.kpflow.spectral;

import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Products and eigenvalues of square f64 matrices of some hundred rows, row-major in an array. */
final class SmallMatrix {
  private SmallMatrix() {}

  /** Eigenvalues, descending, with the unit eigenvectors as rows. */
  record Eigen(double[] values, double[] vectors) {}

  static double[] identity(int d) {
    double[] result = new double[d * d];
    for (int i = 0; i < d; i++) {
      result[i * d + i] = 1;
    }
    return result;
  }

  static void scaleColumn(double[] a, int d, int column, double factor) {
    for (int i = 0; i < d; i++) {
      a[i * d + column] *= factor;
    }
  }

  /** Aᵀ. */
  static double[] transposed(double[] a, int d) {
    double[] result = new double[d * d];
    for (int i = 0; i < d; i++) {
      for (int j = 0; j < d; j++) {
        result[j * d + i] = a[i * d + j];
      }
    }
    return result;
  }

  /** (A + Aᵀ) / 2. */
  static double[] symmetrized(double[] a, int d) {
    double[] result = new double[d * d];
    for (int i = 0; i < d; i++) {
      for (int j = 0; j < d; j++) {
        result[i * d + j] = (a[i * d + j] + a[j * d + i]) / 2;
      }
    }
    return result;
  }

  /** A B. */
  static double[] multiply(double[] a, double[] b, int d) {
    return product(false, a, b, d);
  }

  /** Aᵀ B. */
  static double[] transposedTimes(double[] a, double[] b, int d) {
    return product(true, a, b, d);
  }

  private static double[] product(boolean transpose, double[] a, double[] b, int d) {
    Shape square = Shape.of(d, d);
    try (Tensor left = Tensor.of(DType.F64, square, a);
        Tensor right = Tensor.of(DType.F64, square, b);
        Tensor out = Tensor.zeros(DType.F64, square)) {
      TensorMath.gemm(ExecutionContext.shared(), transpose, false, 1, left, right, 0, out);
      return out.toDoubles();
    }
  }

  /** The eigenpairs of a symmetric matrix. */
  static Eigen eigen(double[] symmetric) {
    int d = (int) Math.round(Math.sqrt(symmetric.length));
    try (Tensor matrix = Tensor.of(DType.F64, Shape.of(d, d), symmetric);
        DenseEigen eigen = DenseEigen.of(matrix)) {
      return new Eigen(eigen.values(), eigen.vectors().toDoubles());
    }
  }
}
