package org.kpflow.task;

import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * Four ways to answer an angle, after Driscoll et al. (2024): {@code pro} at the angle or {@code
 * anti} at angle + π, with a stimulus that goes before the response ({@code memory}) or stays until
 * the end ({@code delay}). A trial has four periods: context, in which nothing but fixation and
 * rule is there, stimulus, memory, response.
 *
 * <p>Inputs [fixation, cos α, sin α, and a channel per sub-task]: fixation is 1 until the response,
 * the sub-task's channel 1 at all steps. Targets [fixation, 0, 0], and [0, cos α, sin α], or the
 * same at α + π, in the response.
 */
public final class MultiTask implements Task {
  /** The sub-tasks, in the order of their channels and labels. */
  public static final List<String> SUB_TASKS =
      List.of("memory_pro", "memory_anti", "delay_pro", "delay_anti");

  private static final int OUTPUTS = 3;
  private static final int INPUTS = OUTPUTS + SUB_TASKS.size();

  private final int context;
  private final int stimulus;
  private final int memory;
  private final int response;
  private final int conditions;

  /** 10 steps of context, three periods of 30, judged on 20 angles per sub-task. */
  public MultiTask() {
    this(10, 30, 30, 30, 20);
  }

  /**
   * Periods of the given numbers of steps.
   *
   * @param conditions angles 2π j / conditions on which every sub-task is judged
   */
  public MultiTask(int context, int stimulus, int memory, int response, int conditions) {
    this.context = Sizes.size("context", context, 0);
    this.stimulus = Sizes.size("stimulus", stimulus, 1);
    this.memory = Sizes.size("memory", memory, 0);
    this.response = Sizes.size("response", response, 1);
    this.conditions = Sizes.size("conditions", conditions, 1);
  }

  @Override
  public String name() {
    return "multi_task";
  }

  @Override
  public long inputs() {
    return INPUTS;
  }

  @Override
  public long outputs() {
    return OUTPUTS;
  }

  @Override
  public long steps() {
    return (long) context + stimulus + memory + response;
  }

  /** Random angles and sub-tasks, each on its own. */
  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.requireHeap(trials, steps(), INPUTS, OUTPUTS);
    double[] angles = Uniform.angles(context, (int) trials, rng.split(0));
    double[] uniform = Uniform.draw(context, (int) trials, rng.split(1));
    int[] labels = new int[angles.length];
    for (int b = 0; b < labels.length; b++) {
      labels[b] = Math.min((int) (uniform[b] * SUB_TASKS.size()), SUB_TASKS.size() - 1);
    }
    return at(labels, angles);
  }

  /** All angles of the first sub-task, then those of the next, and so on. */
  @Override
  public Trials evaluation(ExecutionContext context) {
    Sizes.requireHeap((long) conditions * SUB_TASKS.size(), steps(), INPUTS, OUTPUTS);
    double[] even = Uniform.evenAngles(conditions);
    double[] angles = new double[even.length * SUB_TASKS.size()];
    int[] labels = new int[angles.length];
    for (int b = 0; b < angles.length; b++) {
      labels[b] = b / even.length;
      angles[b] = even[b % even.length];
    }
    return at(labels, angles);
  }

  /**
   * The sub-task of every trial, an index into {@link #SUB_TASKS}, as the rule channels of the
   * first step say it.
   *
   * @param trials of this task, with or without noise that leaves the channel the largest
   */
  public static int[] labels(Trials trials) {
    Tensor inputs = Checks.notNull(trials, "trials").inputs();
    Checks.that(
        inputs.shape().size(2) == INPUTS,
        "trials: expected %d input channels, got %d",
        INPUTS,
        inputs.shape().size(2));
    int[] labels = new int[(int) trials.count()];
    for (int b = 0; b < labels.length; b++) {
      double[] first = inputs.slice(b).slice(0).toDoubles();
      for (int rule = 1; rule < SUB_TASKS.size(); rule++) {
        if (first[OUTPUTS + rule] > first[OUTPUTS + labels[b]]) {
          labels[b] = rule;
        }
      }
    }
    return labels;
  }

  private Trials at(int[] labels, double[] angles) {
    int steps = (int) steps();
    int go = context + stimulus + memory;
    double[] inputs = new double[angles.length * steps * INPUTS];
    double[] targets = new double[angles.length * steps * OUTPUTS];
    for (int b = 0; b < angles.length; b++) {
      boolean stays = SUB_TASKS.get(labels[b]).startsWith("delay");
      double side = SUB_TASKS.get(labels[b]).endsWith("anti") ? -1 : 1; // e^{i(α + π)} = -e^{iα}
      double[] direction = {Math.cos(angles[b]), Math.sin(angles[b])};
      for (int t = 0; t < steps; t++) {
        int in = (b * steps + t) * INPUTS;
        int out = (b * steps + t) * OUTPUTS;
        boolean shown = t >= context && (stays || t < context + stimulus);
        inputs[in] = t < go ? 1 : 0;
        targets[out] = t < go ? 1 : 0;
        for (int i = 0; i < direction.length; i++) {
          inputs[in + 1 + i] = shown ? direction[i] : 0;
          targets[out + 1 + i] = t < go ? 0 : side * direction[i];
        }
        inputs[in + OUTPUTS + labels[b]] = 1;
      }
    }
    return new Trials(
        Tensor.of(Shape.of(angles.length, steps, INPUTS), inputs),
        Tensor.of(Shape.of(angles.length, steps, OUTPUTS), targets),
        null);
  }
}
