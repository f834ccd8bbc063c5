package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Extreme eigenpairs against dense eigenvalues, with their residuals, vectors and order. */
class EigshTest {
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

  /** Q diag(values) Qᵀ with a random orthogonal Q, symmetric to the last bit. */
  static Tensor withSpectrum(DType dtype, long seed, double... values) {
    int n = values.length;
    double[] entries = new double[n * n];
    Random random = new Random(seed);
    try (Tensor q = Tensor.zeros(DType.F64, n, n)) {
      q.copyFrom(IntStream.range(0, n * n).mapToDouble(i -> random.nextGaussian()).toArray());
      TensorMath.orthonormalizeRows(q);
      double[] rows = q.toDoubles();
      for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
          double sum = 0;
          for (int m = 0; m < n; m++) {
            sum += rows[m * n + i] * values[m] * rows[m * n + j];
          }
          entries[i * n + j] = sum;
          entries[j * n + i] = sum;
        }
      }
    }
    return Tensor.of(dtype, Shape.of(n, n), entries);
  }

  static double[] ends(double[] descending, Which which, int modes) {
    int n = descending.length;
    return switch (which) {
      case LA -> Arrays.copyOf(descending, modes);
      case SA -> Arrays.copyOfRange(descending, n - modes, n);
      case BE ->
          IntStream.range(0, n)
              .filter(i -> i < modes - modes / 2 || i >= n - modes / 2)
              .mapToDouble(i -> descending[i])
              .toArray();
      case LM ->
          Arrays.stream(descending)
              .boxed()
              .sorted((a, b) -> Double.compare(Math.abs(b), Math.abs(a)))
              .limit(modes)
              .sorted((a, b) -> Double.compare(b, a))
              .mapToDouble(Double::doubleValue)
              .toArray();
    };
  }

  /** Values as expected, descending; residuals as reported and small; vectors orthonormal. */
  static void check(LinearOperator operator, double[] expected, EigenPairs pairs) {
    check(operator, expected, pairs, 100 * operator.dtype().epsilon());
  }

  /** The same with residuals, values and orthogonality to a tolerance relative to the largest. */
  static void check(LinearOperator operator, double[] expected, EigenPairs pairs, double relative) {
    double scale = 0;
    for (double value : expected) {
      scale = Math.max(scale, Math.abs(value));
    }
    double tolerance = relative * (scale > 0 ? scale : 1e-3);
    assertArrayEquals(expected, pairs.values(), tolerance, () -> operator + " values");
    assertTrue(pairs.complete() && pairs.matvecs() > 0);
    for (int i = 1; i < expected.length; i++) {
      assertTrue(pairs.values()[i - 1] >= pairs.values()[i], "descending");
    }
    Tensor vectors = pairs.vectors();
    assertEquals(operator.domain().block(expected.length), vectors.shape());
    try (Tensor products = operator.matmat(vectors)) {
      for (int i = 0; i < expected.length; i++) {
        Tensor residual = products.slice(i);
        TensorMath.axpby(CONTEXT, -pairs.values()[i], vectors.slice(i), 1, residual);
        double norm = TensorMath.norm(CONTEXT, residual);
        assertEquals(norm, pairs.residuals()[i], tolerance, "residual");
        assertTrue(norm <= tolerance, "residual " + norm);
        for (int j = 0; j <= i; j++) {
          double inner = TensorMath.dot(CONTEXT, vectors.slice(i), vectors.slice(j));
          double allowed = 100 * operator.dtype().epsilon();
          assertEquals(i == j ? 1 : 0, inner, allowed, "orthonormality of " + i + ", " + j);
        }
      }
    }
  }

  static double[] dense(LinearOperator operator) {
    try (Tensor matrix = operator.toDense();
        Tensor wide = matrix.to(DType.F64)) {
      return DenseEigen.values(wide);
    }
  }

  static double[] spectrum(int n) {
    return IntStream.range(0, n)
        .mapToDouble(i -> (i % 2 == 0 ? 1 : -0.96) * Math.pow(0.9, i))
        .toArray();
  }

  /** Both sizes: ARPACK's from 33 on, the dense path at any number of modes below. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void everyEndAndNumberOfModesAgreesWithTheDenseSpectrum(DType dtype) {
    for (int n : new int[] {1, 2, 9, 40}) {
      try (Tensor matrix = withSpectrum(dtype, n, spectrum(n))) {
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        double[] all = dense(operator);
        for (Which which : Which.values()) {
          for (int modes = 1; modes <= n; modes++) {
            LanczosOptions options = LanczosOptions.largest(modes).which(which);
            try (EigenPairs pairs = Eigsh.solve(operator, options)) {
              check(operator, ends(all, which, modes), pairs);
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void clusteredAndRepeatedEigenvaluesAreAllFound(DType dtype) {
    double[] repeated = new double[60];
    double[] clustered = new double[60];
    for (int i = 0; i < 60; i++) {
      repeated[i] = i < 4 ? 2 : i < 8 ? 1 : 0.5 * Math.pow(0.8, i);
      clustered[i] = i < 4 ? 2 + 1e-4 * (3 - i) : 0.5 * Math.pow(0.8, i);
    }
    for (double[] values : new double[][] {repeated, clustered}) {
      try (Tensor matrix = withSpectrum(dtype, 3, values)) {
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        try (EigenPairs pairs = Eigsh.solve(operator, LanczosOptions.largest(6))) {
          check(operator, Arrays.copyOf(dense(operator), 6), pairs);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theZeroOperatorHasZeroEigenvalues(DType dtype) {
    for (int n : new int[] {5, 50}) {
      try (Tensor zero = Tensor.zeros(dtype, n, n)) {
        LinearOperator operator = MatrixOperator.of(CONTEXT, zero);
        try (EigenPairs pairs = Eigsh.solve(operator, LanczosOptions.largest(3))) {
          check(operator, new double[3], pairs);
        }
      }
    }
  }

  @Test
  void aStartInTheKernelOfTheOperatorIsRefused() {
    try (Tensor matrix = Tensor.zeros(DType.F64, 50, 50);
        Tensor start = Tensor.zeros(DType.F64, 50)) {
      matrix.set(1, 3, 3);
      start.set(1, 7);
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LanczosOptions options = LanczosOptions.largest(2).start(start);
      String message =
          assertThrows(IllegalArgumentException.class, () -> Eigsh.solve(operator, options))
              .getMessage();
      assertTrue(message.contains("start") && message.contains("map to zero"), message);
    }
  }

  @Test
  void theSameSeedGivesTheSameBitsAndAnotherSeedTheSameAnswer() {
    try (Tensor matrix = withSpectrum(DType.F64, 4, spectrum(50))) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LanczosOptions options = LanczosOptions.largest(4).seed(7);
      try (EigenPairs first = Eigsh.solve(operator, options);
          EigenPairs again = Eigsh.solve(operator, options);
          EigenPairs other = Eigsh.solve(operator, options.seed(8))) {
        assertArrayEquals(first.values(), again.values());
        assertArrayEquals(first.vectors().toDoubles(), again.vectors().toDoubles());
        assertArrayEquals(first.values(), other.values(), 1e-13);
        assertFalse(Arrays.equals(first.vectors().toDoubles(), other.vectors().toDoubles()));
      }
    }
  }

  /** From an eigenvector the Krylov space is a line: the first step is already invariant. */
  @Test
  void theStartVectorIsWhereTheIterationStarts() {
    try (Tensor matrix = withSpectrum(DType.F64, 5, spectrum(50))) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      double[][] firstInput = new double[1][];
      FunctionOperator watched =
          FunctionOperator.selfAdjoint(
              CONTEXT,
              operator.domain(),
              DType.F64,
              (in, out) -> {
                boolean probe = in.shape().size(0) == 2; // not yet the iteration
                firstInput[0] = firstInput[0] == null && !probe ? in.toDoubles() : firstInput[0];
                operator.matmat(in, out);
              });
      try (Tensor start = Tensor.zeros(DType.F64, 50)) {
        start.set(3, 11);
        LanczosOptions options = LanczosOptions.largest(2).start(start);
        try (EigenPairs pairs = Eigsh.solve(watched, options)) {
          check(operator, Arrays.copyOf(dense(operator), 2), pairs);
        }
        assertEquals(3, start.get(11), "the caller's vector is left alone");
      }
      for (int i = 0; i < 50; i++) {
        assertEquals(i == 11 ? 1 : 0, Math.abs(firstInput[0][i]) > 0 ? 1 : 0, "first product");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theNativePathAgreesWithTheJavaPath(DType dtype) {
    try (Sample sample = new Sample(Kind.GRU, dtype, new Sizes(3, 5, 2, 6), 1)) {
      Linearization linearization = sample.linearize();
      LinearOperator[] natives = {
        new NeuralTangentKernel(linearization), new ParameterOperator(linearization)
      };
      for (LinearOperator operator : natives) {
        LinearOperator java =
            FunctionOperator.selfAdjoint(CONTEXT, operator.domain(), dtype, operator::matmat);
        LanczosOptions options = LanczosOptions.largest(5);
        try (EigenPairs inside = Eigsh.solve(operator, options);
            EigenPairs outside = Eigsh.solve(java, options)) {
          assertArrayEquals(inside.values(), outside.values(), "the same products, bit for bit");
          assertEquals(inside.matvecs() + 2, outside.matvecs(), "what is given is probed");
          assertArrayEquals(inside.vectors().toDoubles(), outside.vectors().toDoubles());
          check(operator, Arrays.copyOf(dense(operator), 5), inside);
        }
      }
    }
  }

  /** 200 evenly spaced eigenvalues: the smallest gaps relative to the spread that there can be. */
  static double[] hard(int n) {
    return IntStream.range(0, n).mapToDouble(i -> 1 + (double) i / n).toArray();
  }

  @Test
  void whatHasConvergedComesWithTheExceptionThatSaysNotAllHas() {
    double[] values = hard(200);
    values[199] = 50; // one that converges at once
    try (Tensor matrix = withSpectrum(DType.F64, 6, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LanczosOptions options = LanczosOptions.largest(5).maxIterations(1);
      NoConvergenceException failure =
          assertThrows(NoConvergenceException.class, () -> Eigsh.solve(operator, options));
      assertTrue(failure.getMessage().contains("of 5 eigenpairs"), failure.getMessage());
      assertTrue(failure.getMessage().contains("raise maxIterations"), failure.getMessage());
      try (EigenPairs partial = failure.partial()) {
        assertFalse(partial.complete());
        int found = partial.values().length;
        assertTrue(found >= 1 && found < 5, "found " + found);
        assertEquals(50, partial.values()[0], 1e-10);
        assertTrue(partial.residuals()[0] < 1e-10);
        assertEquals(Shape.of(found, 200), partial.vectors().shape());
      }
    }
  }

  @Test
  void nothingConvergedIsStillANoConvergenceException() {
    try (Tensor matrix = withSpectrum(DType.F64, 7, hard(200))) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LanczosOptions options = LanczosOptions.largest(3).basis(4).maxIterations(1);
      NoConvergenceException failure =
          assertThrows(NoConvergenceException.class, () -> Eigsh.solve(operator, options));
      try (EigenPairs partial = failure.partial()) {
        assertEquals(0, partial.values().length);
        assertEquals(Shape.of(0, 200), partial.vectors().shape());
      }
    }
  }
}
