package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** What is known is not sampled, zeros are zeros, overflow is named, and seeds fix every bit. */
class ShortcutTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final RngState RNG = RngState.of(11);

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

  @Test
  void aTensorProductWithAnIdentityIsExactWithoutProducts() {
    try (Tensor matrix = Samples.withSpectrum(6, 1, i -> 1 + i)) {
      LinearOperator proxy =
          MatrixOperator.of(CONTEXT, matrix)
              .tensorProduct(new IdentityOperator(CONTEXT, Shape.of(5), DType.F64));
      for (Estimate trace :
          List.of(
              TraceEstimator.hutchinson(proxy, 10, RNG),
              TraceEstimator.hutchPlusPlus(proxy, 10, RNG),
              TraceEstimator.xTrace(proxy, 10, RNG),
              TraceEstimator.xNysTrace(proxy, 10, RNG))) {
        assertEquals(5 * 21, trace.value(), 1e-12);
        assertEquals(Estimate.exact(trace.value()), trace);
      }
      double square = 5 * (1 + 4 + 9 + 16 + 25 + 36);
      assertEquals(Math.sqrt(square), NormEstimator.frobenius(proxy, 10, RNG).value(), 1e-12);
      Estimate rank = RankEstimator.participationRatio(proxy, 10, RNG);
      assertEquals(105 * 105 / square, rank.value(), 1e-12);
      assertEquals(0, rank.standardError());
    }
  }

  /** The factor sees the same probes, so the estimate is the same, for half of the sweeps. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void theTraceOfTheKernelComesFromItsJacobian(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 3)) {
      Linearization linearization = sample.linearize();
      for (LinearOperator kernel :
          List.of(new NeuralTangentKernel(linearization), new ParameterOperator(linearization))) {
        LinearOperator plain = Samples.opaque(kernel);
        List<Function<LinearOperator, Estimate>> estimators =
            List.of(
                a -> TraceEstimator.hutchinson(a, 20, RNG),
                a -> TraceEstimator.hutchPlusPlus(a, 20, RNG),
                a -> TraceEstimator.xTrace(a, 20, RNG),
                a -> TraceEstimator.xNysTrace(a, 20, RNG));
        for (Function<LinearOperator, Estimate> estimator : estimators) {
          Estimate expected = estimator.apply(plain);
          Estimate actual = estimator.apply(kernel);
          assertEquals(expected.value(), actual.value(), 1e-10 * expected.value());
          assertEquals(expected.standardError(), actual.standardError(), 1e-9 * expected.value());
          assertEquals(20, actual.matvecs());
          assertEquals(11, actual.seed());
        }
      }
    }
  }

  @Test
  void aGramOperatorIsNotAppliedForItsTrace() {
    AtomicLong forward = new AtomicLong();
    AtomicLong backward = new AtomicLong();
    LinearOperator factor =
        FunctionOperator.of(
            CONTEXT,
            Shape.of(30),
            Shape.of(30),
            DType.F64,
            (in, out) -> {
              forward.addAndGet(in.shape().size(0));
              out.copyFrom(in);
            },
            (in, out) -> {
              backward.addAndGet(in.shape().size(0));
              out.copyFrom(in);
            });
    Estimate trace = TraceEstimator.hutchinson(factor.gram(), 16, RNG);
    assertEquals(30, trace.value(), 1e-12);
    assertEquals(16, trace.matvecs());
    assertEquals(16, forward.get());
    assertEquals(0, backward.get());
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void zeroOperatorsHaveTraceAndNormZeroAndNoRankOrAngle(DType dtype) {
    try (Tensor zeros = Tensor.zeros(dtype, 20, 20)) {
      LinearOperator known = MatrixOperator.of(CONTEXT, zeros);
      LinearOperator opaque = Samples.opaque(known);
      Budget target = Budget.until(0.01, 1000);
      for (LinearOperator zero : List.of(known, opaque, opaque.gram())) {
        Sampler sampler = Sampler.of(ProbeDistribution.SPHERE, 1);
        for (Estimate estimate :
            List.of(
                TraceEstimator.hutchinson(zero, 8, RNG),
                TraceEstimator.hutchinson(zero, sampler, target),
                TraceEstimator.hutchPlusPlus(zero, 8, RNG),
                TraceEstimator.hutchPlusPlus(zero, sampler, target),
                TraceEstimator.xTrace(zero, 8, RNG),
                TraceEstimator.xNysTrace(zero, 8, RNG),
                TraceEstimator.xTrace(zero, sampler, target),
                NormEstimator.frobenius(zero, 8, RNG),
                NormEstimator.squaredFrobenius(zero, sampler, target),
                NormEstimator.compare(zero, opaque, sampler, target))) {
          assertEquals(0, estimate.value());
          assertEquals(0, estimate.standardError());
          assertTrue(estimate.matvecs() <= 48, estimate.matvecs() + " products"); // not 1000
        }
        assertTrue(Double.isNaN(NormEstimator.cosine(zero, opaque, 8, RNG).value()));
        assertTrue(Double.isNaN(NormEstimator.cosine(zero, opaque, 8, RNG).standardError()));
        assertTrue(Double.isNaN(RankEstimator.participationRatio(zero, 8, RNG).value()));
        try (TensorEstimate diagonal = DiagonalEstimator.diagonal(zero, 8, RNG);
            TensorEstimate deflated = DiagonalEstimator.diagonal(zero, 2, Budget.of(8), RNG)) {
          assertEquals(Estimate.exact(0).value(), diagonal.at(3).value());
          assertEquals(0, diagonal.at(3).standardError());
          assertEquals(0, deflated.at(3).value());
        }
      }
    }
  }

  /** With every family frozen, J has an empty domain. */
  @Test
  void aKernelWithoutParametersIsZero() {
    String[] all = {"weight_ih_l0", "weight_hh_l0"};
    try (Sample sample = new Sample(Kind.GRU_NO_BIAS, DType.F64, Sizes.SMALL, 3, all)) {
      LinearOperator kernel = new NeuralTangentKernel(sample.linearize());
      assertEquals(0, TraceEstimator.hutchinson(kernel, 8, RNG).value());
      assertEquals(0, TraceEstimator.hutchPlusPlus(kernel, 8, RNG).value());
      assertEquals(0, TraceEstimator.xTrace(kernel, 8, RNG).value());
      assertEquals(0, TraceEstimator.xNysTrace(kernel, 8, RNG).value());
      assertTrue(Double.isNaN(RankEstimator.participationRatio(kernel, 8, RNG).value()));
    }
  }

  @Test
  void overflowIsNamedNotReturned() {
    for (double entry : new double[] {1e200, Double.NaN, Double.POSITIVE_INFINITY}) {
      double[] values = new double[400];
      Arrays.fill(values, entry);
      try (Tensor matrix = Tensor.of(Shape.of(20, 20), values)) {
        LinearOperator known = MatrixOperator.of(CONTEXT, matrix).named("huge");
        LinearOperator huge = ((FunctionOperator) Samples.opaque(known)).named("huge");
        Sampler sampler = Sampler.of(ProbeDistribution.GAUSSIAN, 1);
        int[] axes = {0};
        List<Runnable> calls = new ArrayList<>();
        calls.add(() -> TraceEstimator.hutchPlusPlus(huge, 12, RNG));
        calls.add(() -> TraceEstimator.xTrace(huge, 12, RNG));
        calls.add(() -> NormEstimator.frobenius(huge, 12, RNG));
        calls.add(() -> NormEstimator.squaredFrobenius(known, sampler, Budget.of(12)));
        calls.add(() -> NormEstimator.cosine(huge, huge, 12, RNG));
        calls.add(() -> NormEstimator.compare(huge, huge, sampler, Budget.of(12)));
        calls.add(() -> RankEstimator.participationRatio(huge, 12, RNG));
        calls.add(() -> DiagonalEstimator.diagonal(huge, 12, RNG));
        calls.add(() -> DiagonalEstimator.diagonal(huge, 2, Budget.of(12), RNG));
        calls.add(() -> PartialTraceEstimator.matrix(huge, axes, 0, Budget.of(12), RNG));
        calls.add(() -> PartialTraceEstimator.matrix(huge, axes, 2, Budget.of(12), RNG));
        if (huge.isSelfAdjoint()) {
          calls.add(() -> TraceEstimator.xNysTrace(huge, 12, RNG));
        }
        if (entry != 1e200) {
          calls.add(() -> TraceEstimator.hutchinson(huge, 12, RNG));
          calls.add(() -> TraceEstimator.hutchinson(known, 12, RNG));
        }
        for (Runnable call : calls) {
          refused(NumericalException.class, call::run, "huge", "expected finite numbers");
        }
      }
    }
  }

  @Test
  void aTargetIsReachedOrTheBudgetSpent() {
    try (Tensor matrix = Samples.withSpectrum(60, 2, i -> 1.0 / (1 + i))) {
      LinearOperator a = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      Sampler sampler = Sampler.of(ProbeDistribution.SPHERE, 4);
      Budget reachable = Budget.until(0.02, 20000);
      Budget tight = Budget.until(1e-6, 100);
      List<Function<Budget, Estimate>> estimators =
          List.of(
              b -> TraceEstimator.hutchinson(a, sampler, b),
              b -> TraceEstimator.hutchPlusPlus(a, sampler, b),
              b -> TraceEstimator.xTrace(a, sampler, b),
              b -> TraceEstimator.xNysTrace(a, sampler, b),
              b -> NormEstimator.frobenius(a, sampler, b),
              b -> NormEstimator.squaredFrobenius(a, sampler, b),
              b -> RankEstimator.participationRatio(a, sampler, b));
      for (Function<Budget, Estimate> estimator : estimators) {
        Estimate reached = estimator.apply(reachable);
        assertTrue(reached.standardError() <= 0.02 * reached.value(), reached::toString);
        assertTrue(reached.matvecs() < 20000, reached::toString);
        Estimate spent = estimator.apply(tight);
        assertTrue(spent.matvecs() <= 100 && spent.matvecs() >= 50, spent.matvecs() + " products");
      }
    }
  }

  /** The results, as text, of every estimator on an NTK, for a context. */
  private static String everything(ExecutionContext context) {
    StringBuilder text = new StringBuilder();
    try (Sample sample = new Sample(Kind.GRU, DType.F32, Sizes.AWKWARD, 3)) {
      LinearOperator a = new NeuralTangentKernel(sample.linearize(context));
      LinearOperator b = a.scale(2).plus(new IdentityOperator(context, a.domain(), a.dtype()));
      int[] axes = {1, 2};
      for (ProbeDistribution distribution : ProbeDistribution.values()) {
        Sampler sampler = Sampler.of(distribution, 5);
        text.append(TraceEstimator.hutchinson(a, sampler, Budget.of(30)))
            .append(TraceEstimator.hutchPlusPlus(a, sampler, Budget.of(30)))
            .append(TraceEstimator.xTrace(a, sampler, Budget.of(30)))
            .append(TraceEstimator.xNysTrace(a, sampler, Budget.of(30)))
            .append(NormEstimator.frobenius(a, sampler, Budget.of(30)))
            .append(NormEstimator.cosine(a, b, sampler, Budget.of(30)))
            .append(NormEstimator.compare(a, b, sampler, Budget.of(30)))
            .append(RankEstimator.participationRatio(a, sampler, Budget.until(0.1, 100)));
      }
      try (TensorEstimate diagonal = DiagonalEstimator.diagonal(a, 3, Budget.of(20), RNG);
          MatrixEstimate matrix = PartialTraceEstimator.matrix(a, axes, 3, Budget.of(40), RNG);
          SampledPartialTrace operator = PartialTraceEstimator.operator(a, axes, 3, 4, RNG);
          Tensor dense = operator.toDense()) {
        text.append(Arrays.toString(diagonal.value().toDoubles()))
            .append(Arrays.toString(diagonal.standardError().toDoubles()))
            .append(Arrays.toString(matrix.value().toDoubles()))
            .append(Arrays.toString(dense.toDoubles()));
      }
    }
    return text.toString();
  }

  @Test
  void theSameSeedGivesTheSameBitsForAnyNumberOfThreads() {
    String[] results = new String[3];
    for (int threads = 1; threads <= 3; threads++) {
      try (ExecutionContext context = ExecutionContext.withThreads(threads)) {
        results[threads - 1] = everything(context);
      }
    }
    assertEquals(results[0], results[1]);
    assertEquals(results[0], results[2]);
  }

  @Test
  void everyEstimateNamesItsSeed() {
    try (Tensor matrix = Samples.withSpectrum(30, 2, i -> 1.0 / (1 + i))) {
      LinearOperator a = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      for (Estimate estimate :
          List.of(
              TraceEstimator.hutchinson(a, 20, RNG),
              TraceEstimator.hutchPlusPlus(a, 20, RNG),
              TraceEstimator.xTrace(a, 20, RNG),
              TraceEstimator.xNysTrace(a, 20, RNG),
              NormEstimator.frobenius(a, 20, RNG),
              NormEstimator.cosine(a, a, 10, RNG),
              RankEstimator.participationRatio(a, 20, RNG))) {
        assertEquals(11, estimate.seed());
        assertEquals(20, estimate.matvecs());
      }
    }
    assertThrows(IllegalArgumentException.class, () -> Sampler.of(null, 1));
  }
}
