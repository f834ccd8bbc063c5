package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** What all solvers have in common: the same pairs, and refusals before any harm is done. */
@Timeout(60)
class EigensolverTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int SIZE = 200;

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

  /** A solver under a name for messages. */
  record Named(String name, Eigensolver solver) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static Stream<Named> solvers(int modes, double tolerance) {
    return Stream.of(
        new Named("eigsh", Eigensolver.of(LanczosOptions.largest(modes).tolerance(tolerance))),
        new Named(
            "block Krylov", Eigensolver.of(BlockKrylovOptions.largest(modes).tolerance(tolerance))),
        new Named(
            "subspace iteration",
            Eigensolver.of(SubspaceOptions.largest(modes).tolerance(tolerance))));
  }

  static Stream<Named> solversOfThreeModes() {
    return solvers(3, 1e-4);
  }

  private static double[] geometric() {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> Math.pow(0.8, i));
    return values;
  }

  private static LinearOperator function(FunctionOperator.BlockFunction body) {
    return FunctionOperator.selfAdjoint(CONTEXT, Shape.of(SIZE), DType.F64, body);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void allSolversGiveTheSamePairs(DType dtype) {
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 1, geometric())) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      double[] expected = Arrays.copyOf(geometric(), 20);
      Stream<Named> chosen =
          Stream.of(
              new Named("for 20 modes", Eigensolver.forModes(20, 1e-5, RngState.of(1))),
              new Named("for 20 modes again", Eigensolver.forModes(20, 1e-5, RngState.of(2))));
      Stream.concat(solvers(20, 1e-5), chosen)
          .forEach(
              named -> {
                try (EigenPairs pairs = named.solver.solve(operator)) {
                  EigshTest.check(operator, expected, pairs, 1e-4);
                }
              });
      for (int modes : new int[] {24, 25}) { // on both sides of where blocks begin
        try (EigenPairs pairs = Eigensolver.forModes(modes, 1e-5, RngState.of(1)).solve(operator)) {
          EigshTest.check(operator, Arrays.copyOf(geometric(), modes), pairs, 1e-4);
        }
      }
      try (EigenPairs pairs = Eigensolver.forModes(2, 1e-5, RngState.of(1)).solve(operator)) {
        EigshTest.check(operator, Arrays.copyOf(expected, 2), pairs, 1e-4);
      }
    }
  }

  /** The one of largest magnitude may be negative; two passes would not do, twenty are enough. */
  @Test
  void subspaceIterationFindsTheLargestMagnitudesOfAnIndefiniteOperator() {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> (i % 3 == 0 ? -1 : 1) * Math.pow(0.8, i));
    double[] expected = {0.8, 0.64, 0.4096, 0.32768, -0.512, -1};
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 2, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      SubspaceOptions options = SubspaceOptions.largest(6).tolerance(1e-10);
      try (EigenPairs pairs = SubspaceIteration.solve(operator, options);
          Tensor given = pairs.vectors().copy();
          EigenPairs warm = SubspaceIteration.solve(operator, options.start(given))) {
        EigshTest.check(operator, expected, pairs, 1e-9);
        EigshTest.check(operator, expected, warm, 1e-9);
        assertTrue(warm.matvecs() < pairs.matvecs(), warm + " and " + pairs);
      }
      NoConvergenceException failure =
          assertThrows(
              NoConvergenceException.class,
              () -> SubspaceIteration.solve(operator, options.maxPasses(3)));
      assertTrue(failure.getMessage().contains("raise maxPasses"), failure.getMessage());
      try (EigenPairs partial = failure.partial()) {
        assertEquals(partial.values().length, partial.vectors().shape().size(0));
        assertTrue(partial.values().length < 6);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void subspaceIterationSolvesWhatIsDegenerate(DType dtype) {
    for (int rank : new int[] {0, 1, 5}) {
      double[] values = new double[SIZE];
      Arrays.setAll(values, i -> i < rank ? 2 : 0);
      try (Tensor matrix = EigshTest.withSpectrum(dtype, 3, values)) {
        LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
        try (EigenPairs pairs = SubspaceIteration.solve(operator, SubspaceOptions.largest(7))) {
          EigshTest.check(operator, Arrays.copyOf(values, 7), pairs, 1e-5);
        }
      }
    }
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 1, 4)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      try (EigenPairs pairs = SubspaceIteration.solve(operator, SubspaceOptions.largest(1))) {
        EigshTest.check(operator, new double[] {4}, pairs);
      }
    }
  }

  /** One start vector of ARPACK's meets a loose tolerance before rounding has brought in copies. */
  @Test
  void blockKrylovFindsTheCopiesThatOneStartVectorMisses() {
    double[] values = new double[SIZE];
    Arrays.setAll(values, i -> i < 12 ? 1 : 0.5 * Math.pow(0.7, i - 12));
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 4, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LanczosOptions single = LanczosOptions.largest(14).tolerance(1e-2);
      try (EigenPairs pairs = Eigsh.solve(operator, single)) {
        long copies = Arrays.stream(pairs.values()).filter(value -> value > 0.9).count();
        assertTrue(copies < 12, "ARPACK found all " + copies + ": the documentation is too modest");
      }
      BlockKrylovOptions options = BlockKrylovOptions.largest(14).tolerance(1e-2);
      try (EigenPairs pairs = BlockKrylov.solve(operator, options)) {
        assertArrayEquals(Arrays.copyOf(values, 14), pairs.values(), 1e-2);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("solversOfThreeModes")
  void anOperatorThatOnlyClaimsToBeSelfAdjointIsRefused(Named named) {
    double[] entries = new double[SIZE * SIZE];
    for (int i = 0; i < entries.length; i++) {
      entries[i] = Math.sin(1 + i % SIZE + 0.37 * (i / SIZE) * (i % SIZE));
    }
    try (Tensor matrix = Tensor.of(Shape.of(SIZE, SIZE), entries)) {
      LinearOperator skew = MatrixOperator.of(CONTEXT, matrix);
      refused(
          () -> named.solver.solve(function(skew::matmat).symmetricPart()),
          named.name + " on A",
          "self-adjoint",
          "symmetricPart",
          "differ by");
      // a millionth of asymmetry is far above the rounding of f64
      LinearOperator almost = new IdentityOperator(CONTEXT, Shape.of(SIZE), DType.F64);
      LinearOperator sum = almost.plus(skew.scale(1e-6));
      refused(() -> named.solver.solve(function(sum::matmat)), named.name, "self-adjoint");
    }
  }

  @ParameterizedTest
  @MethodSource("solversOfThreeModes")
  void numbersThatAreNotFiniteEndTheSolution(Named named) {
    for (double bad : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      for (int after : new int[] {0, 2}) {
        int[] products = {0};
        LinearOperator operator =
            function(
                (in, out) -> {
                  double[] values = in.toDoubles();
                  for (int i = 0; i < values.length; i++) {
                    values[i] *= 1 + i % SIZE;
                  }
                  if (products[0]++ >= after) {
                    values[7] = bad;
                  }
                  out.copyFrom(values);
                });
        refused(NumericalException.class, () -> named.solver.solve(operator), named.name);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("solversOfThreeModes")
  void anInterruptEndsTheSolution(Named named) {
    int[] products = {0};
    LinearOperator operator =
        function(
            (in, out) -> {
              double[] values = in.toDoubles();
              Arrays.setAll(values, i -> values[i] * (1 + i % SIZE));
              out.copyFrom(values);
              if (++products[0] == 2) {
                Thread.currentThread().interrupt();
              }
            });
    assertThrows(CancelledException.class, () -> named.solver.solve(operator));
    assertTrue(Thread.interrupted());
  }

  @ParameterizedTest
  @MethodSource("solversOfThreeModes")
  void whatTheOperatorThrowsComesOut(Named named) {
    LinearOperator failing =
        function(
            (in, out) -> {
              throw new IllegalStateException("mine");
            });
    refused(IllegalStateException.class, () -> named.solver.solve(failing), "mine");
  }

  @ParameterizedTest
  @MethodSource("solversOfThreeModes")
  void moreModesThanThereAreAndOtherOperatorsAreRefused(Named named) {
    LinearOperator two = new IdentityOperator(CONTEXT, Shape.of(2), DType.F64);
    refused(() -> named.solver.solve(two), "modes", "at most 2", "got 3");
    refused(() -> named.solver.solve(null), "operator", "null");
    LinearOperator other =
        FunctionOperator.forwardOnly(
            CONTEXT, Shape.of(9), Shape.of(9), DType.F64, (in, out) -> out.copyFrom(in));
    refused(() -> named.solver.solve(other), "operator A", "self-adjoint");
  }

  @Test
  void toleranceBelowThePrecisionOfTheTypeIsRefused() {
    LinearOperator single = new IdentityOperator(CONTEXT, Shape.of(90), DType.F32);
    refused(
        () -> BlockKrylov.solve(single, BlockKrylovOptions.largest(1).tolerance(1e-8)),
        "tolerance",
        "f32",
        "1.19e-07",
        "got 1.00e-08");
    refused(
        () -> SubspaceIteration.solve(single, SubspaceOptions.largest(1).tolerance(1e-8)),
        "tolerance",
        "f32");
    BlockKrylovOptions options = BlockKrylovOptions.largest(1);
    SubspaceOptions others = SubspaceOptions.largest(1);
    for (double bad : new double[] {0, -1e-3, 1, Double.NaN}) {
      refused(() -> options.tolerance(bad), "tolerance", String.valueOf(bad));
      refused(() -> others.tolerance(bad), "tolerance", String.valueOf(bad));
    }
    refused(() -> Eigensolver.forModes(40, Double.NaN, RngState.of(1)), "tolerance", "NaN");
    refused(() -> Eigensolver.forModes(4, Double.NaN, RngState.of(1)), "tolerance", "NaN");
  }

  @Test
  void optionsOutsideTheirRangesAreRefused() {
    BlockKrylovOptions options = BlockKrylovOptions.largest(2);
    refused(() -> BlockKrylovOptions.largest(0), "modes", "0");
    refused(() -> options.which(null), "which", "null");
    refused(() -> options.block(1), "block", "1");
    refused(() -> options.block(-2), "block", "-2");
    refused(() -> options.basis(-1), "basis", "-1");
    refused(() -> options.maxRestarts(-1), "maxRestarts", "-1");
    refused(() -> options.rng(null), "rng", "null");
    SubspaceOptions others = SubspaceOptions.largest(2);
    refused(() -> SubspaceOptions.largest(0), "modes", "0");
    refused(() -> others.oversampling(-1), "oversampling", "-1");
    refused(() -> others.maxPasses(0), "maxPasses", "0");
    refused(() -> others.rng(null), "rng", "null");
    refused(() -> Eigensolver.of((LanczosOptions) null), "options", "null");
    refused(() -> Eigensolver.of((BlockKrylovOptions) null), "options", "null");
    refused(() -> Eigensolver.of((SubspaceOptions) null), "options", "null");
    refused(() -> Eigensolver.forModes(0, 1e-3, RngState.of(1)), "modes", "0");
    refused(() -> Eigensolver.forModes(40, 1e-3, null), "rng", "null");
  }

  @Test
  void startsAndBasesThatDoNotFitAreRefused() {
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 5, geometric());
        Tensor flat = Tensor.zeros(DType.F64, SIZE);
        Tensor empty = Tensor.zeros(DType.F64, 0, SIZE);
        Tensor zeros = Tensor.zeros(DType.F64, 2, SIZE)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      BlockKrylovOptions options = BlockKrylovOptions.largest(2);
      refused(() -> BlockKrylov.solve(operator, options.start(flat)), "start", "[200, 200]");
      refused(() -> BlockKrylov.solve(operator, options.start(empty)), "start", "[0, 200]");
      refused(() -> BlockKrylov.solve(operator, options.start(zeros)), "start", "zero");
      refused(() -> BlockKrylov.solve(operator, options.basis(17)), "basis", "18", "got 17");
      refused(() -> BlockKrylov.solve(operator, null), "options", "null");
      refused(() -> SubspaceIteration.solve(operator, null), "options", "null");
      Tensor gone = Tensor.zeros(DType.F64, 2, SIZE);
      gone.close();
      closed(() -> BlockKrylov.solve(operator, options.start(gone)));
      closed(() -> SubspaceIteration.solve(operator, SubspaceOptions.largest(2).start(gone)));
    }
  }

  @Test
  void aBasisThatDoesNotFitIntoMemoryIsRefusedWithTheNumbersBeforeAnyProduct() {
    LinearOperator huge =
        FunctionOperator.selfAdjoint(
            CONTEXT,
            Shape.of(1L << 40),
            DType.F64,
            (in, out) -> {
              throw new AssertionError("applied");
            });
    refused(
        MemoryException.class,
        () -> BlockKrylov.solve(huge, BlockKrylovOptions.largest(50)),
        "block Krylov on A",
        "1099511627776 numbers",
        "GiB",
        "smaller basis");
    refused(
        MemoryException.class,
        () -> SubspaceIteration.solve(huge, SubspaceOptions.largest(50)),
        "subspace iteration on A",
        "GiB");
    refused(
        MemoryException.class,
        () -> SpectralDensity.of(huge, 4, 20, RngState.of(1)),
        "spectral density on A",
        "fewer probes");
  }
}
