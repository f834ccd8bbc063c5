package org.kpflow.train;

import org.kpflow.base.Checks;

/**
 * How a training step is taken besides the optimizer's rule, in this order: clipping, decay, step.
 *
 * @param rate the learning rate of every step
 * @param clipping of the gradient of the loss
 * @param decay of the weights
 */
public record TrainingOptions(LearningRate rate, GradientClipping clipping, WeightDecay decay) {
  /** Checks that all are there. */
  public TrainingOptions {
    Checks.notNull(rate, "rate");
    Checks.notNull(clipping, "clipping");
    Checks.notNull(decay, "decay");
  }

  /** A learning rate, without clipping and decay. */
  public static TrainingOptions of(LearningRate rate) {
    return new TrainingOptions(rate, GradientClipping.none(), WeightDecay.NONE);
  }

  /** These options with another clipping. */
  public TrainingOptions clipping(GradientClipping other) {
    return new TrainingOptions(rate, other, decay);
  }

  /** These options with another decay. */
  public TrainingOptions decay(WeightDecay other) {
    return new TrainingOptions(rate, clipping, other);
  }
}
