package org.kpflow.estimate;

import java.util.function.IntToDoubleFunction;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** What the estimators share: probe blocks from a stream and jackknife errors. */
final class Sampling {
  private static final long BLOCK_BYTES = 256L << 20;

  private Sampling() {}

  /** What is done with a block of probes [s, domain]; {@code first} is the number of the first. */
  interface Body {
    void accept(int first, Tensor probes);
  }

  /**
   * Draws probes in blocks of bounded size and hands them on; returns the stream's state after
   * them.
   */
  static RngState blocks(
      LinearOperator operator,
      RngState.Distribution distribution,
      int samples,
      RngState rng,
      Body body) {
    Checks.notNull(rng, "rng");
    Shape domain = operator.domain();
    long bytes = Math.max(1, domain.count() * operator.dtype().bytes());
    int block = (int) Math.max(1, Math.min(samples, BLOCK_BYTES / bytes));
    RngState next = rng;
    try (Tensor probes = Tensor.zeros(operator.dtype(), domain.block(block))) {
      for (int first = 0; first < samples; first += block) {
        Tensor part = probes.slice(0, Math.min(block, samples - first));
        next = next.fill(operator.context(), distribution, part);
        body.accept(first, part);
      }
    }
    return next;
  }

  /**
   * A statistic of all samples (index -1) with the jackknife error of leaving out one at a time.
   */
  static Estimate jackknife(int samples, long matvecs, IntToDoubleFunction statistic) {
    double[] values = new double[samples];
    double mean = 0;
    for (int i = 0; i < samples; i++) {
      values[i] = statistic.applyAsDouble(i);
      mean += values[i] / samples;
    }
    double squares = 0;
    for (double value : values) {
      squares += (value - mean) * (value - mean);
    }
    return new Estimate(
        statistic.applyAsDouble(-1), Math.sqrt(squares * (samples - 1.0) / samples), matvecs);
  }

  /** Sum of all values but one; index -1 leaves out none. */
  static double sumWithout(double[] values, int leftOut) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += i == leftOut ? 0 : values[i];
    }
    return sum;
  }

  static void requireSamples(String name, int samples, int least) {
    Checks.that(samples >= least, "%s: expected at least %d, got %d", name, least, samples);
  }

  static void requireSquare(LinearOperator operator) {
    Checks.that(
        Checks.notNull(operator, "operator").domain().equals(operator.range()),
        "operator %s: expected domain and range of one shape, got %s and %s",
        operator,
        operator.domain(),
        operator.range());
  }
}
