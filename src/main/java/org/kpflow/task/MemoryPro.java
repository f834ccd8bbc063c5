package org.kpflow.task;

import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Reproduce an angle after a delay. Inputs [fixation, cos α, sin α]: fixation is 1 until the
 * response, the stimulus is there in the first phase only. Targets [fixation, 0, 0], and [0, cos α,
 * sin α] in the response.
 */
public final class MemoryPro implements Task {
  private static final int CHANNELS = 3;

  private final int stimulus;
  private final int memory;
  private final int response;
  private final int conditions;

  /** The usual sizes: three phases of 30 steps, judged on 20 angles. */
  public MemoryPro() {
    this(30, 30, 30, 20);
  }

  /**
   * Phases of the given numbers of steps.
   *
   * @param conditions angles 2π j / conditions on which a network is judged
   */
  public MemoryPro(int stimulus, int memory, int response, int conditions) {
    this.stimulus = Sizes.size("stimulus", stimulus, 1);
    this.memory = Sizes.size("memory", memory, 0);
    this.response = Sizes.size("response", response, 1);
    this.conditions = Sizes.size("conditions", conditions, 1);
  }

  @Override
  public String name() {
    return "memory_pro";
  }

  @Override
  public long inputs() {
    return CHANNELS;
  }

  @Override
  public long outputs() {
    return CHANNELS;
  }

  @Override
  public long steps() {
    return (long) stimulus + memory + response;
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.requireHeap(trials, steps(), CHANNELS, CHANNELS);
    return at(Uniform.angles(context, (int) trials, rng));
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    Sizes.requireHeap(conditions, steps(), CHANNELS, CHANNELS);
    return at(Uniform.evenAngles(conditions));
  }

  /** One trial per angle. */
  private Trials at(double[] angles) {
    int steps = (int) steps();
    double[] inputs = new double[angles.length * steps * CHANNELS];
    double[] targets = new double[inputs.length];
    for (int b = 0; b < angles.length; b++) {
      double[] direction = {Math.cos(angles[b]), Math.sin(angles[b])};
      for (int t = 0; t < steps; t++) {
        int at = (b * steps + t) * CHANNELS;
        boolean responds = t >= stimulus + memory;
        inputs[at] = responds ? 0 : 1;
        targets[at] = responds ? 0 : 1;
        for (int i = 0; i < direction.length; i++) {
          inputs[at + 1 + i] = t < stimulus ? direction[i] : 0;
          targets[at + 1 + i] = responds ? direction[i] : 0;
        }
      }
    }
    Shape shape = Shape.of(angles.length, steps, CHANNELS);
    return new Trials(Tensor.of(shape, inputs), Tensor.of(shape, targets), null);
  }
}
