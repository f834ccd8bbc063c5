package org.kpflow.train;

import org.kpflow.base.Checks;

/** The learning rate of every training step: a function of the step alone. */
@FunctionalInterface
public interface LearningRate {
  /**
   * η of a step.
   *
   * @param step the number of the step, 1 for the first
   */
  double at(long step);

  /** The same at every step. */
  static LearningRate constant(double rate) {
    requireRate("rate", rate);
    return step -> rate;
  }

  /** Multiplied by a factor after every so many steps: η = rate · factor^⌊(step - 1) / every⌋. */
  static LearningRate stepped(double rate, long every, double factor) {
    requireRate("rate", rate);
    requireRate("factor", factor);
    Checks.that(every >= 1, "every: expected at least 1, got %d", every);
    return step -> rate * Math.pow(factor, Math.floorDiv(step - 1, every));
  }

  /** Multiplied by a factor after every step: η = rate · factor^(step - 1). */
  static LearningRate exponential(double rate, double factor) {
    return stepped(rate, 1, factor);
  }

  /**
   * Half a cosine from rate at the first step to {@code last} after {@code steps} more, and {@code
   * last} from there on: η = last + (rate - last) (1 + cos(π (step - 1) / steps)) / 2.
   */
  static LearningRate cosine(double rate, double last, long steps) {
    requireRate("rate", rate);
    requireRate("last", last);
    Checks.that(steps >= 1, "steps: expected at least 1, got %d", steps);
    return step -> {
      double done = Math.min(step - 1, steps) / (double) steps;
      return last + (rate - last) * (1 + Math.cos(Math.PI * done)) / 2;
    };
  }

  /**
   * This schedule behind a linear rise over its first steps: η = at(1) · step / steps up to {@code
   * steps}, then at(step - steps). With 0 steps, this schedule.
   */
  default LearningRate warmedUp(long steps) {
    Checks.that(steps >= 0, "warmup: expected at least 0 steps, got %d", steps);
    return step -> step <= steps ? at(1) * step / steps : at(step - steps);
  }

  private static void requireRate(String name, double value) {
    Checks.that(
        value >= 0 && Double.isFinite(value), "%s: expected at least 0, got %s", name, value);
  }
}
