package org.kpflow.train;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.task.Trials;
import org.kpflow.tensor.TensorMath;

/**
 * Trains a network step by step. Everything random is a function of the step's number, so network
 * and optimizer state of a step are all that is needed to go on from it. Owns nothing.
 */
public final class Trainer {
  private final Network network;
  private final Optimizer optimizer;
  private final Batches batches;
  private final TrainingOptions options;
  private long step;
  private double gradientNorm = Double.NaN;

  /**
   * A trainer without clipping and decay.
   *
   * @param step how many steps have been taken before
   */
  public Trainer(
      Network network, Optimizer optimizer, Batches batches, LearningRate rate, long step) {
    this(network, optimizer, batches, TrainingOptions.of(rate), step);
  }

  /**
   * A trainer.
   *
   * @param step how many steps have been taken before
   */
  public Trainer(
      Network network, Optimizer optimizer, Batches batches, TrainingOptions options, long step) {
    this.network = Checks.notNull(network, "network");
    this.optimizer = Checks.notNull(optimizer, "optimizer");
    this.batches = Checks.notNull(batches, "batches");
    this.options = Checks.notNull(options, "options");
    Checks.that(step >= 0, "step: expected at least 0, got %d", step);
    this.step = step;
  }

  /** Steps taken so far. */
  public long step() {
    return step;
  }

  /** ||dL/dθ|| of the last step, before clipping and decay; NaN before the first. */
  public double gradientNorm() {
    return gradientNorm;
  }

  /**
   * Takes one step; the loss on its trials before it.
   *
   * @throws NumericalException if state, loss or gradient are not finite; the weights stay as they
   *     were
   */
  public double advance() {
    long next = step + 1;
    double loss;
    try (Trials trials = batches.at(next)) {
      loss = network.lossAndGradient(trials);
    } catch (NumericalException overflow) {
      throw trouble("step " + next, overflow.getMessage());
    }
    double norm = TensorMath.norm(network.context(), network.gradient());
    gradientNorm = norm;
    if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
      String what = Double.isFinite(loss) ? "gradient" : "loss";
      throw trouble("step " + next, "the " + what, network.model().dtype());
    }
    double rate = options.rate().at(next);
    options.clipping().apply(network.context(), network.gradient(), norm);
    options.decay().apply(network.context(), network.parameters(), rate);
    optimizer.step(next, rate);
    step = next;
    return loss;
  }

  /** What is told of numbers that are not finite, with both remedies where there are two. */
  static NumericalException trouble(String where, String what) {
    boolean narrow = what.endsWith("try f64");
    return new NumericalException(
        "training, "
            + where
            + ": "
            + what
            + (narrow ? " or" : "; use")
            + " a smaller learning rate");
  }

  /** The same for a loss or a gradient. */
  static NumericalException trouble(String where, String what, DType dtype) {
    return trouble(where, what + " is not finite" + (dtype == DType.F32 ? " in f32, try f64" : ""));
  }
}
