package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.LongFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.Honesty;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Every estimator over 400 fixed seeds, on a matrix with a decaying spectrum and on the NTK of a
 * small GRU, both on [3, 4, 5]: the truth lies within three standard errors for at least 97 % of
 * the seeds, and the mean over seeds within four of its own. Norms, cosines, differences and ranks
 * are roots or ratios with a bias of one over the number of probes: they get enough of these.
 */
class EstimatorHonestyTest {
  private static final int SEEDS = 400;
  private static final Shape STATE = Shape.of(3, 4, 5);
  private static final int SIZE = 60;

  private static Sample sample;
  private static List<Subject> subjects;
  private static Tensor matrix;
  private static Tensor otherMatrix;

  /** An operator with its dense matrix, and another one to compare it with. */
  private record Subject(
      String name, LinearOperator operator, double[] dense, LinearOperator other, double[] dense2) {
    @Override
    public String toString() {
      return name;
    }
  }

  @BeforeAll
  static void makeOperators() {
    ExecutionContext context = ExecutionContext.shared();
    matrix = Samples.withSpectrum(SIZE, 1, i -> Math.pow(0.9, i));
    otherMatrix = Samples.withSpectrum(SIZE, 2, i -> 1.0 / (1 + i));
    sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 3);
    LinearOperator a = Samples.opaque(MatrixOperator.of(context, STATE, STATE, matrix));
    LinearOperator b = Samples.opaque(MatrixOperator.of(context, STATE, STATE, otherMatrix));
    LinearOperator kernel = new NeuralTangentKernel(sample.linearize());
    LinearOperator shifted = kernel.plus(b);
    subjects =
        List.of(
            new Subject("decaying", a, dense(a), b, dense(b)),
            new Subject("NTK", kernel, dense(kernel), shifted, dense(shifted)));
  }

  @AfterAll
  static void close() {
    sample.close();
    matrix.close();
    otherMatrix.close();
  }

  static Stream<Subject> subjects() {
    return subjects.stream();
  }

  private static double[] dense(LinearOperator operator) {
    try (Tensor dense = operator.toDense()) {
      return dense.toDoubles();
    }
  }

  private static double inner(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  private static double trace(double[] a) {
    double sum = 0;
    for (int i = 0; i < SIZE; i++) {
      sum += a[i * (SIZE + 1)];
    }
    return sum;
  }

  private static void holds(
      Subject subject, String what, double truth, LongFunction<Estimate> estimator) {
    Honesty honesty = Honesty.of(subject + ", " + what, truth, SEEDS, estimator);
    System.out.println(honesty);
    honesty.assertHonest().assertUnbiased();
  }

  @ParameterizedTest
  @MethodSource("subjects")
  void traces(Subject subject) {
    LinearOperator a = subject.operator();
    double truth = trace(subject.dense());
    holds(subject, "Hutchinson", truth, s -> TraceEstimator.hutchinson(a, 60, RngState.of(s)));
    for (ProbeDistribution distribution : ProbeDistribution.values()) {
      holds(
          subject,
          "Hutchinson " + distribution,
          truth,
          s -> TraceEstimator.hutchinson(a, Sampler.of(distribution, s), Budget.of(60)));
      holds(
          subject,
          "Hutch++ " + distribution,
          truth,
          s -> TraceEstimator.hutchPlusPlus(a, Sampler.of(distribution, s), Budget.of(91)));
      holds(
          subject,
          "XTrace " + distribution,
          truth,
          s -> TraceEstimator.xTrace(a, Sampler.of(distribution, s), Budget.of(60)));
    }
    for (ProbeDistribution distribution : ProbeDistribution.values()) {
      holds(
          subject,
          "XNysTrace " + distribution,
          truth,
          s -> TraceEstimator.xNysTrace(a, Sampler.of(distribution, s), Budget.of(30)));
    }
    holds(subject, "Hutch++", truth, s -> TraceEstimator.hutchPlusPlus(a, 90, RngState.of(s)));
    holds(subject, "XTrace", truth, s -> TraceEstimator.xTrace(a, 40, RngState.of(s)));
  }

  @ParameterizedTest
  @MethodSource("subjects")
  void norms(Subject subject) {
    double square = inner(subject.dense(), subject.dense());
    for (ProbeDistribution distribution : ProbeDistribution.values()) {
      holds(
          subject,
          "squared norm " + distribution,
          square,
          s ->
              NormEstimator.squaredFrobenius(
                  subject.operator(), Sampler.of(distribution, s), Budget.of(100)));
    }
    holds(
        subject,
        "norm",
        Math.sqrt(square),
        s -> NormEstimator.frobenius(subject.operator(), 300, RngState.of(s)));
  }

  @ParameterizedTest
  @MethodSource("subjects")
  void comparisons(Subject subject) {
    double[] a = subject.dense();
    double[] b = subject.dense2();
    LinearOperator first = subject.operator();
    LinearOperator second = subject.other();
    double difference = inner(a, a) - 2 * inner(a, b) + inner(b, b);
    holds(
        subject,
        "cosine",
        inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b)),
        s -> NormEstimator.cosine(first, second, 300, RngState.of(s)));
    holds(
        subject,
        "difference",
        Math.sqrt(difference / Math.max(inner(a, a), inner(b, b))),
        s ->
            NormEstimator.compare(
                first, second, Sampler.of(ProbeDistribution.GAUSSIAN, s), Budget.of(600)));
  }

  @ParameterizedTest
  @MethodSource("subjects")
  void ranks(Subject subject) {
    double[] a = subject.dense();
    holds(
        subject,
        "participation ratio",
        trace(a) * trace(a) / inner(a, a),
        s -> RankEstimator.participationRatio(subject.operator(), 500, RngState.of(s)));
  }

  /** All entries of all seeds together, and the mean of every entry. */
  @ParameterizedTest
  @MethodSource("subjects")
  void diagonals(Subject subject) {
    for (int deflation : new int[] {0, 10}) {
      long covered = 0;
      double[] sums = new double[SIZE];
      double[] squares = new double[SIZE];
      for (int seed = 0; seed < SEEDS; seed++) {
        try (TensorEstimate diagonal =
            DiagonalEstimator.diagonal(
                subject.operator(), deflation, Budget.of(60), RngState.of(seed))) {
          assertEquals(60, diagonal.matvecs());
          double[] values = diagonal.value().toDoubles();
          double[] errors = diagonal.standardError().toDoubles();
          for (int i = 0; i < SIZE; i++) {
            double error = values[i] - subject.dense()[i * (SIZE + 1)];
            covered += Math.abs(error) <= 3 * errors[i] ? 1 : 0;
            sums[i] += error;
            squares[i] += error * error;
          }
        }
      }
      double share = covered / ((double) SEEDS * SIZE);
      double[] deviations = new double[SIZE]; // of the means, in their standard errors
      Arrays.setAll(deviations, i -> Math.abs(sums[i]) / Math.sqrt(squares[i]));
      double worst = Arrays.stream(deviations).max().orElseThrow();
      System.out.printf(
          Locale.ROOT,
          "%s, diagonal, deflation %d: %.4f within 3, worst mean at %.2f standard errors%n",
          subject,
          deflation,
          share,
          worst);
      assertTrue(share >= 0.97, subject + ": covered " + share);
      assertTrue(worst <= 4.5, subject + ": worst mean error " + worst); // the largest of 60
    }
  }

  /** The error of the whole matrix against its standard error, and the mean matrix. */
  @ParameterizedTest
  @MethodSource("subjects")
  void partialTraces(Subject subject) {
    for (int[] axes : new int[][] {{2}, {0, 1}}) {
      LinearOperator exact = subject.operator().partialTrace(axes);
      int kept = (int) exact.domain().count();
      for (int deflation : new int[] {0, 8}) {
        Budget budget = Budget.of(2 * deflation + 40 * kept);
        int covered = 0;
        double squares = 0;
        double claimed = 0;
        double[] mean = new double[kept * kept];
        try (Tensor truth = exact.toDense()) {
          for (int seed = 0; seed < SEEDS; seed++) {
            try (MatrixEstimate estimate =
                PartialTraceEstimator.matrix(
                    subject.operator(), axes, deflation, budget, RngState.of(seed))) {
              double error = Samples.distance(estimate.value(), truth);
              covered += error <= 3 * estimate.standardError() ? 1 : 0;
              squares += error * error;
              claimed += estimate.standardError() * estimate.standardError();
              double[] values = estimate.value().toDoubles();
              Arrays.setAll(mean, i -> mean[i] + values[i] / SEEDS);
            }
          }
          String what = subject + ", partial trace " + Arrays.toString(axes) + ", " + deflation;
          double share = covered / (double) SEEDS;
          double ratio = Math.sqrt(squares / claimed);
          double bias;
          try (Tensor average = Tensor.of(Shape.of(kept, kept), mean)) {
            bias = Samples.distance(average, truth) / Math.sqrt(squares / SEEDS);
          }
          System.out.printf(
              Locale.ROOT,
              "%s: %.3f within 3, error over claimed %.3f, mean matrix off by %.3f of an error%n",
              what,
              share,
              ratio,
              bias);
          assertTrue(share >= 0.97, what + ": covered " + share);
          assertTrue(Math.abs(ratio - 1) < 0.2, what + ": error over claimed " + ratio);
          assertTrue(bias < 2 / Math.sqrt(SEEDS), what + ": bias " + bias);
        }
      }
    }
  }
}
