package org.kpflow.train;

import org.kpflow.base.NumericalException;
import org.kpflow.task.Trials;

/**
 * Trains a network step by step. Everything random is a function of the step's number, so network
 * and optimizer state of a step are all that is needed to go on from it. Owns nothing.
 */
public final class Trainer {
  private final Network network;
  private final Optimizer optimizer;
  private final Batches batches;
  private final LearningRate rate;
  private long step;

  /**
   * A trainer.
   *
   * @param step how many steps have been taken before
   */
  public Trainer(
      Network network, Optimizer optimizer, Batches batches, LearningRate rate, long step) {
    this.network = network;
    this.optimizer = optimizer;
    this.batches = batches;
    this.rate = rate;
    this.step = step;
  }

  /** Steps taken so far. */
  public long step() {
    return step;
  }

  /**
   * Takes one step; the loss on its trials before it.
   *
   * @throws NumericalException if state or loss are not finite; the weights stay as they were
   */
  public double advance() {
    long next = step + 1;
    double loss;
    try (Trials trials = batches.at(next)) {
      loss = network.lossAndGradient(trials);
    }
    if (!Double.isFinite(loss)) {
      throw new NumericalException(
          "training: the loss is not finite at step " + next + "; use a smaller learning rate");
    }
    optimizer.step(next, rate.at(next));
    step = next;
    return loss;
  }
}
