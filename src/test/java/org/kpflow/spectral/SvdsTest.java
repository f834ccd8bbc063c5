package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Singular triplets against dense decompositions and against matrices that were built. */
class SvdsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /** U diag(values) Vᵀ of shape [m, n] with random orthonormal U and V. */
  private static Tensor withValues(DType dtype, int m, int n, double... values) {
    int k = values.length;
    Random random = new Random(17L * m + n);
    try (Tensor u = Tensor.zeros(DType.F64, k, m);
        Tensor v = Tensor.zeros(DType.F64, k, n);
        Tensor product = Tensor.zeros(DType.F64, m, n)) {
      for (Tensor factor : new Tensor[] {u, v}) {
        double[] entries = new double[(int) factor.count()];
        Arrays.setAll(entries, i -> random.nextGaussian());
        factor.copyFrom(entries);
        TensorMath.orthonormalizeRows(factor);
      }
      for (int i = 0; i < k; i++) {
        TensorMath.axpby(CONTEXT, 0, u.slice(i), values[i], u.slice(i));
      }
      TensorMath.gemm(CONTEXT, true, false, 1, u, v, 0, product);
      return product.to(dtype);
    }
  }

  /** Values as expected, both residuals as reported and small, both sides orthonormal. */
  private static void check(
      LinearOperator operator, double[] expected, SingularTriplets found, double tolerance) {
    assertArrayEquals(expected, found.values(), tolerance, "values");
    int count = expected.length;
    assertEquals(operator.range().block(count), found.left().shape());
    assertEquals(operator.domain().block(count), found.right().shape());
    try (Tensor images = operator.matmat(found.right());
        Tensor backs = operator.rmatmat(found.left())) {
      for (int i = 0; i < count; i++) {
        double forward = residual(images.slice(i), found.values()[i], found.left().slice(i));
        double backward = residual(backs.slice(i), found.values()[i], found.right().slice(i));
        assertEquals(forward, found.residuals()[i], tolerance);
        assertEquals(backward, found.adjointResiduals()[i], tolerance);
        assertTrue(forward <= tolerance, "A v - σ u of " + i + ": " + forward);
        assertTrue(backward <= tolerance, "A* u - σ v of " + i + ": " + backward);
      }
    }
    for (Tensor side : new Tensor[] {found.left(), found.right()}) {
      for (int i = 0; i < count; i++) {
        for (int j = 0; j <= i; j++) {
          double inner = TensorMath.dot(CONTEXT, side.slice(i), side.slice(j));
          assertEquals(i == j ? 1 : 0, inner, 300 * operator.dtype().epsilon());
        }
      }
    }
  }

  private static double residual(Tensor product, double value, Tensor vector) {
    try (Tensor difference = product.copy()) {
      TensorMath.axpby(CONTEXT, -value, vector, 1, difference);
      return TensorMath.norm(CONTEXT, difference);
    }
  }

  private static BlockKrylovOptions options(DType dtype, int modes) {
    return BlockKrylovOptions.largest(modes).tolerance(dtype == DType.F32 ? 1e-6 : 1e-13);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void tallWideAndSmallMatricesAgreeWithTheDenseDecomposition(DType dtype) {
    double[] values = new double[120];
    Arrays.setAll(values, i -> Math.pow(0.9, i));
    for (int[] shape : new int[][] {{300, 120}, {120, 300}, {200, 200}, {9, 4}, {4, 9}, {1, 1}}) {
      int least = Math.min(shape[0], shape[1]);
      double[] some = Arrays.copyOf(values, Math.min(least, 120));
      try (Tensor matrix = withValues(dtype, shape[0], shape[1], some);
          Tensor wide = matrix.to(DType.F64)) {
        double[] dense = DenseEigen.singularValues(wide);
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        int modes = Math.min(least, 12);
        try (SingularTriplets found = Svds.largest(operator, options(dtype, modes))) {
          double digits = dtype == DType.F32 ? 1e-5 : 1e-11;
          check(operator, Arrays.copyOf(dense, modes), found, digits);
        }
      }
    }
  }

  /** Squares of f64 end at 1e-16: singular values of 1e-9 have their digits nevertheless. */
  @Test
  void valuesFarBelowTheLargestKeepTheirDigits() {
    double[] values = {1, 1e-2, 1e-5, 1e-7, 1e-9};
    try (Tensor matrix = withValues(DType.F64, 50, 20, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      try (SingularTriplets found = Svds.largest(operator, options(DType.F64, 4))) {
        check(operator, Arrays.copyOf(values, 4), found, 1e-8);
        assertEquals(1e-7, found.values()[3], 1e-13);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void beyondTheRankTheValuesAreZeroAndTheVectorsOrthonormal(DType dtype) {
    for (int rank : new int[] {0, 1, 3}) {
      double[] values = new double[rank + 2];
      Arrays.setAll(values, i -> i < rank ? 2 : 0);
      for (int[] shape : new int[][] {{150, 100}, {20, 30}}) {
        try (Tensor matrix = withValues(dtype, shape[0], shape[1], values)) {
          LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
          try (SingularTriplets found = Svds.largest(operator, options(dtype, 6))) {
            double digits = dtype == DType.F32 ? 1e-3 : 1e-7; // zeros of A*A are rounding
            check(operator, Arrays.copyOf(Arrays.copyOf(values, rank), 6), found, digits);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theSmallestComeThroughTheInverse(DType dtype) {
    double[] values = new double[80];
    Arrays.setAll(values, i -> 1 + i * i / 100.0);
    double[] descending = values.clone();
    for (int i = 0; i < 80; i++) {
      descending[i] = values[79 - i];
    }
    double[] inverted = Arrays.stream(values).map(value -> 1 / value).toArray();
    // the same random factors, exchanged: withValues draws U before V
    try (Tensor matrix = withValues(dtype, 80, 80, values);
        Tensor transposed = withValues(dtype, 80, 80, inverted)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LinearOperator inverse = MatrixOperator.of(CONTEXT, transposed).adjoint();
      for (int modes : new int[] {1, 5, 50}) {
        try (SingularTriplets found = Svds.smallest(operator, inverse, options(dtype, modes))) {
          double digits = dtype == DType.F32 ? 1e-3 : 1e-10;
          double[] expected = Arrays.copyOfRange(descending, 80 - modes, 80);
          check(operator, expected, found, digits);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theOperatorsOfAGruAgreeWithTheirMatrices(DType dtype) {
    try (Sample sample = new Sample(Kind.GRU, dtype, new Sizes(3, 8, 2, 7), 3)) {
      var linearization = sample.linearize();
      PropagationOperator p = new PropagationOperator(linearization);
      double digits = dtype == DType.F32 ? 1e-4 : 1e-10;
      for (LinearOperator operator :
          new LinearOperator[] {p, new ParameterJacobian(linearization)}) {
        double[] dense = dense(operator);
        try (SingularTriplets found = Svds.largest(operator, options(dtype, 6))) {
          check(operator, Arrays.copyOf(dense, 6), found, digits);
        }
      }
      double[] dense = dense(p);
      try (SingularTriplets found = Svds.smallest(p, p.inverse(), options(dtype, 3))) {
        check(p, Arrays.copyOfRange(dense, dense.length - 3, dense.length), found, digits);
      }
    }
  }

  private static double[] dense(LinearOperator operator) {
    try (Tensor matrix = operator.toDense();
        Tensor wide = matrix.to(DType.F64)) {
      return DenseEigen.singularValues(wide);
    }
  }

  @Test
  void misuseIsRefused() {
    try (Tensor matrix = withValues(DType.F64, 60, 40, 3, 2, 1);
        Tensor other = withValues(DType.F64, 60, 40, 1, 1, 1);
        Tensor single = withValues(DType.F32, 40, 60, 1)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      BlockKrylovOptions options = BlockKrylovOptions.largest(2);
      refused(() -> Svds.largest(null, options), "operator", "null");
      refused(() -> Svds.largest(operator, null), "options", "null");
      refused(() -> Svds.largest(operator, BlockKrylovOptions.largest(41)), "modes", "40", "41");
      refused(() -> Svds.largest(operator, options.which(Which.SA)), "which", "Svds.smallest");
      refused(() -> Svds.smallest(operator, null, options), "inverse", "null");
      refused(() -> Svds.smallest(operator, operator, options), "inverse M: domain", "[60]");
      LinearOperator narrow = MatrixOperator.of(CONTEXT, single);
      refused(() -> Svds.smallest(operator, narrow, options), "inverse M", "f32");
      LinearOperator wrong =
          FunctionOperator.of(
              CONTEXT,
              operator.domain(),
              operator.range(),
              DType.F64,
              operator::matmat,
              MatrixOperator.of(CONTEXT, other)::rmatmat);
      refused(() -> Svds.largest(wrong, options), "svds on A", "adjoint that belongs");
      LinearOperator nan =
          FunctionOperator.of(
              CONTEXT,
              Shape.of(50),
              Shape.of(50),
              DType.F64,
              (in, out) -> out.set(Double.NaN, 0, 3),
              (in, out) -> out.set(Double.NaN, 0, 3));
      refused(NumericalException.class, () -> Svds.largest(nan, options), "svds on A", "f64");
    }
  }
}
