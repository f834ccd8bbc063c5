package org.kpflow.train;

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
    return step -> rate;
  }
}
