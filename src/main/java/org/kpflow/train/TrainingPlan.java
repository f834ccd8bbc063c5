package org.kpflow.train;

import org.kpflow.base.Checks;

/**
 * How long a training goes and when something is written. The first and the last step always have a
 * checkpoint, and every checkpoint is evaluated.
 *
 * @param steps in all, at least 0
 * @param every steps between checkpoints, at least 1
 * @param evaluateEvery steps between evaluations, at least 1
 * @param stopBelow ends the training where an evaluation's loss is below it; 0 for never
 */
public record TrainingPlan(long steps, long every, long evaluateEvery, double stopBelow) {
  private static final long MOST = 1_000_000_000;

  /** Checks the ranges. */
  public TrainingPlan {
    Checks.range("steps", steps, 0, MOST);
    Checks.range("every", every, 1, MOST);
    Checks.range("evaluate-every", evaluateEvery, 1, MOST);
    Checks.that(stopBelow >= 0, "stop-below: expected at least 0, got %s", stopBelow);
  }

  boolean isCheckpoint(long step) {
    return step % every == 0 || step == steps;
  }

  boolean isEvaluated(long step) {
    return step % evaluateEvery == 0 || isCheckpoint(step);
  }
}
