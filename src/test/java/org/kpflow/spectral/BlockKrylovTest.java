package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.LanczosOptions.Which;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Block Lanczos against spectra that were built, and against dense eigenvalues. */
class BlockKrylovTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int SIZE = 260;

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

  /** As many digits as the type has in reach of a residual. */
  private static double fine(DType dtype) {
    return dtype == DType.F32 ? 1e-6 : 1e-12;
  }

  private static void solves(Tensor matrix, BlockKrylovOptions options, double[] expected) {
    LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
    try (EigenPairs pairs = BlockKrylov.solve(operator, options)) {
      double digits = Math.max(10 * options.tolerance(), 100 * matrix.dtype().epsilon());
      EigshTest.check(operator, expected, pairs, digits);
    }
  }

  /** The leading part falls by 0.9 a mode with alternating signs, the rest is 1e-3 and below. */
  private static double[] decaying() {
    return IntStream.range(0, SIZE)
        .mapToDouble(i -> (i % 2 == 0 ? 1 : -0.96) * (i < 60 ? Math.pow(0.9, i) : 1e-3 / i))
        .toArray();
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void everyEndAgreesWithTheDenseSpectrum(DType dtype) {
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 1, decaying())) {
      double[] all = EigshTest.dense(MatrixOperator.of(CONTEXT, matrix));
      for (Which which : Which.values()) {
        for (int modes : new int[] {1, 2, 7, 30}) {
          BlockKrylovOptions options =
              BlockKrylovOptions.largest(modes).which(which).tolerance(fine(dtype));
          solves(matrix, options, EigshTest.ends(all, which, modes));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"2, 30", "3, 30", "5, 60", "16, 52", "31, 130"})
  void anyBlockAndBasisGivesTheSamePairs(int block, int basis) {
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 2, decaying())) {
      double[] all = EigshTest.dense(MatrixOperator.of(CONTEXT, matrix));
      BlockKrylovOptions options =
          BlockKrylovOptions.largest(20).block(block).basis(basis).tolerance(1e-12);
      solves(matrix, options, Arrays.copyOf(all, 20));
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void everyNumberOfModesOfTinyOperatorsIsFound(DType dtype) {
    for (int n : new int[] {1, 2, 9, 40}) {
      try (Tensor matrix = EigshTest.withSpectrum(dtype, n, EigshTest.spectrum(n))) {
        double[] all = EigshTest.dense(MatrixOperator.of(CONTEXT, matrix));
        for (int modes = 1; modes <= n; modes += Math.max(1, n / 7)) {
          solves(matrix, BlockKrylovOptions.largest(modes), Arrays.copyOf(all, modes));
        }
        solves(matrix, BlockKrylovOptions.largest(n), all);
      }
    }
  }

  /** Copies beyond the block's size are seen from new random vectors alone. */
  @ParameterizedTest
  @CsvSource({
    "F64, 3, 8",
    "F64, 12, 8",
    "F64, 30, 4",
    "F64, 17, 16",
    "F64, 9, 2",
    "F64, 40, 16",
    "F32, 12, 8",
    "F32, 25, 3"
  })
  void allCopiesOfARepeatedEigenvalueAreFound(DType dtype, int copies, int block) {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> i < 2 ? 3 - i : i < 2 + copies ? 1.5 : Math.pow(0.9, i - copies));
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 3, values)) {
      for (double tolerance : new double[] {1e-2, fine(dtype)}) {
        int modes = copies + 6;
        BlockKrylovOptions options =
            BlockKrylovOptions.largest(modes).block(block).tolerance(tolerance);
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        try (EigenPairs pairs = BlockKrylov.solve(operator, options)) {
          for (int i = 0; i < modes; i++) {
            assertEquals(values[i], pairs.values()[i], 2 * tolerance * values[i], "value " + i);
          }
        }
      }
    }
  }

  /** New random vectors need some steps before a copy stands out from what lies just below. */
  @Test
  void copiesAreFoundAboveASlowDecay() {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> i < 14 ? 1.2 : 1 / (1 + 0.01 * (i - 14)));
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 12, values)) {
      for (int modes : new int[] {13, 16, 20}) {
        BlockKrylovOptions options = BlockKrylovOptions.largest(modes).block(4).tolerance(1e-4);
        solves(matrix, options, Arrays.copyOf(values, modes));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void clustersOfTenAreResolved(DType dtype) {
    double spacing = dtype == DType.F32 ? 1e-4 : 1e-8;
    double[] values = new double[SIZE];
    Arrays.setAll(
        values, i -> i < 30 ? 4 - i / 10 - spacing * (i % 10) : 0.5 * Math.pow(0.95, i)); // 4, 3, 2
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 4, values)) {
      double[] all = EigshTest.dense(MatrixOperator.of(CONTEXT, matrix));
      for (int block : new int[] {4, 8, 16}) {
        BlockKrylovOptions options =
            BlockKrylovOptions.largest(35).block(block).tolerance(fine(dtype));
        solves(matrix, options, Arrays.copyOf(all, 35));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void operatorsOfLowRankHaveZerosBehindTheirRank(DType dtype) {
    for (int rank : new int[] {0, 1, 5, 12}) {
      double[] values = new double[SIZE];
      Arrays.setAll(values, i -> i < rank ? 1.0 / (1 + i) : 0);
      try (Tensor matrix = EigshTest.withSpectrum(dtype, 5, values)) {
        solves(matrix, BlockKrylovOptions.largest(10), Arrays.copyOf(values, 10));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theIdentityIsOneEigenvalue(DType dtype) {
    double[] ones = new double[SIZE];
    Arrays.fill(ones, 1);
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 6, ones)) {
      solves(matrix, BlockKrylovOptions.largest(30), Arrays.copyOf(ones, 30));
    }
  }

  /** f32 ends at 3e38: neither the squares of products nor the Gram matrices leave it. */
  @ParameterizedTest
  @CsvSource({"1e30", "1e-25"})
  void hugeAndTinyOperatorsAreSolvedInF32(double scale) {
    double[] values = Arrays.stream(decaying()).map(value -> scale * value).toArray();
    double[] descending = Arrays.stream(values).sorted().toArray();
    try (Tensor matrix = EigshTest.withSpectrum(DType.F32, 7, values);
        EigenPairs pairs =
            BlockKrylov.solve(MatrixOperator.of(CONTEXT, matrix), BlockKrylovOptions.largest(12))) {
      for (int i = 0; i < 12; i++) {
        assertEquals(descending[SIZE - 1 - i], pairs.values()[i], 1e-5 * scale);
        assertEquals(0, pairs.residuals()[i], 1e-5 * scale, "residual " + i);
      }
    }
  }

  @Test
  void eigenvectorsOfAnOperatorNearbyReduceTheProducts() {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> 1 / (1 + 0.1 * i));
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 8, values);
        Tensor nearby = matrix.copy()) {
      for (int i = 0; i < SIZE; i++) {
        nearby.set(nearby.get(i, i) + 1e-7 * Math.cos(i), i, i);
      }
      BlockKrylovOptions options = BlockKrylovOptions.largest(12).tolerance(1e-6);
      try (EigenPairs old = BlockKrylov.solve(MatrixOperator.of(CONTEXT, nearby), options);
          Tensor given = old.vectors().copy()) {
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        try (EigenPairs cold = BlockKrylov.solve(operator, options);
            EigenPairs warm = BlockKrylov.solve(operator, options.start(given))) {
          assertArrayEquals(cold.values(), warm.values(), 1e-9);
          assertTrue(
              warm.matvecs() < 0.8 * cold.matvecs(), warm.matvecs() + " of " + cold.matvecs());
          assertArrayEquals(given.toDoubles(), old.vectors().toDoubles(), "left alone");
        }
      }
    }
  }

  /** The start vectors know nothing of the largest eigenvalue, and span an invariant subspace. */
  @Test
  void whatTheStartVectorsLackIsFound() {
    try (Tensor matrix = Tensor.zeros(DType.F64, SIZE, SIZE);
        Tensor start = Tensor.zeros(DType.F64, 6, SIZE)) {
      for (int i = 0; i < SIZE; i++) {
        matrix.set(1.0 / (1 + i), i, i);
      }
      for (int i = 0; i < 6; i++) {
        start.set(1, i, i + 1); // all but the first
      }
      double[] expected = IntStream.range(0, 6).mapToDouble(i -> 1.0 / (1 + i)).toArray();
      solves(matrix, BlockKrylovOptions.largest(6).start(start), expected);
      solves(matrix, BlockKrylovOptions.largest(6).start(start.slice(0, 1)), expected);
    }
  }

  @Test
  void theSameSeedGivesTheSameBitsForAnyNumberOfThreads() {
    double[][] vectors = new double[2][];
    for (int threads = 1; threads <= 2; threads++) {
      try (ExecutionContext context = ExecutionContext.withThreads(threads);
          Tensor matrix = EigshTest.withSpectrum(DType.F32, 9, decaying());
          EigenPairs pairs =
              BlockKrylov.solve(
                  MatrixOperator.of(context, matrix),
                  BlockKrylovOptions.largest(9).rng(RngState.of(5)))) {
        vectors[threads - 1] = pairs.vectors().toDoubles();
      }
    }
    assertArrayEquals(vectors[0], vectors[1]);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void theNtkOfAGruAgreesWithItsDenseSpectrum(DType dtype) {
    try (Sample sample = new Sample(Kind.GRU, dtype, new Sizes(4, 9, 2, 8), 1)) { // 288 numbers
      LinearOperator ntk = new NeuralTangentKernel(sample.linearize());
      double[] all = EigshTest.dense(ntk);
      for (int modes : new int[] {3, 20, 60}) {
        BlockKrylovOptions options =
            BlockKrylovOptions.largest(modes).tolerance(fine(dtype)).rng(RngState.of(modes));
        try (EigenPairs pairs = BlockKrylov.solve(ntk, options)) {
          EigshTest.check(ntk, Arrays.copyOf(all, modes), pairs, 30 * fine(dtype));
        }
      }
    }
  }

  @Test
  void productsAreCounted() {
    long[] products = {0};
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 10, decaying())) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LinearOperator counted =
          FunctionOperator.selfAdjoint(
              CONTEXT,
              operator.domain(),
              DType.F64,
              (in, out) -> {
                products[0] += in.shape().size(0);
                operator.matmat(in, out);
              });
      try (EigenPairs pairs = BlockKrylov.solve(counted, BlockKrylovOptions.largest(10))) {
        assertEquals(products[0], pairs.matvecs());
      }
    }
  }

  @Test
  void whatHasConvergedComesWithTheExceptionThatSaysNotAllHas() {
    double[] values = EigshTest.hard(SIZE);
    values[SIZE - 1] = 50; // one that converges at once
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 11, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      BlockKrylovOptions options =
          BlockKrylovOptions.largest(5).block(4).basis(24).tolerance(1e-10).maxRestarts(1);
      NoConvergenceException failure =
          assertThrows(NoConvergenceException.class, () -> BlockKrylov.solve(operator, options));
      assertTrue(failure.getMessage().contains("of 5 eigenpairs"), failure.getMessage());
      assertTrue(failure.getMessage().contains("raise maxRestarts"), failure.getMessage());
      try (EigenPairs partial = failure.partial()) {
        assertFalse(partial.complete());
        int found = partial.values().length;
        assertTrue(found >= 1 && found < 5, "found " + found);
        assertEquals(50, partial.values()[0], 1e-10);
        assertTrue(partial.residuals()[0] < 1e-8);
        assertEquals(Shape.of(found, SIZE), partial.vectors().shape());
      }
    }
  }
}
