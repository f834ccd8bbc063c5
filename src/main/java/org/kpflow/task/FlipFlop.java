package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Remember one bit per channel. Inputs are pulses: at every step and in every channel +1 or -1,
 * each with probability p/2, and 0 otherwise. The target is the last pulse of the channel, this
 * step's included; 0 before the first.
 */
public final class FlipFlop implements Task {
  private static final RngState EVALUATION = RngState.of(0x666c6970);

  private final int channels;
  private final int steps;
  private final double probability;
  private final int conditions;

  /** The usual sizes: 3 bits, 100 steps, a pulse in 10, judged on 64 trials. */
  public FlipFlop() {
    this(3, 100, 0.1, 64);
  }

  /**
   * A task of the given sizes.
   *
   * @param probability p of a pulse, per channel and step, above 0 and at most 1
   * @param conditions trials on which a network is judged
   */
  public FlipFlop(int channels, int steps, double probability, int conditions) {
    this.channels = Sizes.size("channels", channels, 1);
    this.steps = Sizes.size("steps", steps, 1);
    Checks.that(
        probability > 0 && probability <= 1,
        "probability: expected above 0 and at most 1, got %s",
        probability);
    this.probability = probability;
    this.conditions = Sizes.size("conditions", conditions, 1);
  }

  @Override
  public String name() {
    return "flip_flop";
  }

  @Override
  public long inputs() {
    return channels;
  }

  @Override
  public long outputs() {
    return channels;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.requireHeap(trials, steps, channels, channels);
    int count = (int) (trials * steps * channels);
    double[] inputs = Uniform.draw(context, count, rng);
    double[] targets = new double[count];
    for (int b = 0; b < trials; b++) {
      for (int t = 0; t < steps; t++) {
        for (int c = 0; c < channels; c++) {
          int at = (b * steps + t) * channels + c;
          double u = inputs[at];
          inputs[at] = u < probability / 2 ? -1 : u < probability ? 1 : 0;
          targets[at] = inputs[at] != 0 ? inputs[at] : t == 0 ? 0 : targets[at - channels];
        }
      }
    }
    Shape shape = Shape.of(trials, steps, channels);
    return new Trials(Tensor.of(shape, inputs), Tensor.of(shape, targets), null);
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    return draw(context, conditions, EVALUATION);
  }
}
