package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Gaussian input sequences of a given rank r ({@code x = M z}, z ~ N(0, I_r) at every trial and
 * step by itself, the covariance M Mᵀ having r equal eigenvalues and trace n_in), with targets of a
 * given kind.
 */
public final class Gaussian implements Task {
  private static final RngState EVALUATION = RngState.of(0x67617573);

  /** What is to be answered. */
  public enum Targets {
    /** A fixed linear map of the input {@code delay} steps ago, A_ij ~ N(0, 1/n_in); 0 before. */
    LINEAR,
    /**
     * N(0, 1) at every trial, step and channel, whatever the input: what no network can predict.
     */
    NOISE
  }

  private final GaussianInputs inputs;
  private final int outputs;
  private final int steps;
  private final Targets targets;
  private final int delay;
  private final int conditions;
  private final RngState map;

  /**
   * A task of the given sizes.
   *
   * @param inputs n_in
   * @param rank r, 1 to n_in
   * @param outputs n_out
   * @param steps T
   * @param targets what is to be answered
   * @param delay steps by which {@code LINEAR} looks back, 0 for the same step
   * @param conditions trials on which a network is judged
   * @param seed of what is fixed, M and A
   */
  public Gaussian(
      int inputs,
      int rank,
      int outputs,
      int steps,
      Targets targets,
      int delay,
      int conditions,
      long seed) {
    RngState fixed = FixedStream.of(name(), seed);
    this.inputs = new GaussianInputs(inputs, rank, fixed.split(0));
    this.outputs = Sizes.size("outputs", outputs, 1);
    this.steps = Sizes.size("steps", steps, 1);
    this.targets = Checks.notNull(targets, "targets");
    this.delay = Sizes.size("delay", delay, 0);
    this.conditions = Sizes.size("conditions", conditions, 1);
    this.map = fixed.split(1);
  }

  @Override
  public String name() {
    return "gaussian";
  }

  @Override
  public long inputs() {
    return inputs.channels();
  }

  @Override
  public long outputs() {
    return outputs;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.numbers(trials, steps, outputs);
    Tensor x = inputs.draw(context, trials, steps, rng.split(0));
    Tensor y = Tensor.zeros(DType.F64, trials, steps, outputs);
    try {
      if (targets == Targets.NOISE) {
        rng.split(1).fill(context.host(), RngState.Distribution.GAUSSIAN, y);
      } else {
        linear(context, x, y);
      }
      return new Trials(x, y, null);
    } catch (RuntimeException | Error failure) {
      x.close();
      y.close();
      throw failure;
    }
  }

  /** y_t = A x_{t - delay} on every trial. */
  private void linear(ExecutionContext context, Tensor x, Tensor y) {
    long shown = steps - delay;
    if (shown <= 0) {
      return;
    }
    try (Tensor a = Tensor.zeros(DType.F64, outputs, inputs.channels())) {
      map.fill(context.host(), RngState.Distribution.GAUSSIAN, a);
      double scale = 1 / Math.sqrt(inputs.channels());
      for (long b = 0; b < x.shape().size(0); b++) {
        Tensor to = y.slice(b).slice(delay, shown);
        TensorMath.gemm(context.host(), false, true, scale, x.slice(b).slice(0, shown), a, 0, to);
      }
    }
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    return draw(context, conditions, EVALUATION);
  }
}
