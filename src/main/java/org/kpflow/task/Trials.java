package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * Inputs with their targets. Owns its tensors.
 *
 * @param inputs x [B, T, n_in]
 * @param targets [B, T, n_out]
 * @param mask [B, T], 1 where the outputs count towards the loss and 0 elsewhere; null where all do
 */
public record Trials(Tensor inputs, Tensor targets, Tensor mask) implements AutoCloseable {
  /** Checks that the shapes go together. */
  public Trials {
    Checks.notNull(inputs, "inputs");
    Checks.notNull(targets, "targets");
    Checks.that(
        inputs.shape().rank() == 3, "inputs: expected shape [B, T, n_in], got %s", inputs.shape());
    long trials = inputs.shape().size(0);
    long steps = inputs.shape().size(1);
    Checks.that(
        targets.shape().rank() == 3
            && targets.shape().size(0) == trials
            && targets.shape().size(1) == steps,
        "targets: expected shape [%d, %d, n_out], got %s",
        trials,
        steps,
        targets.shape());
    if (mask != null) {
      Checks.shape("mask", Shape.of(trials, steps), mask.shape());
    }
  }

  /** B. */
  public long count() {
    return inputs.shape().size(0);
  }

  /** A copy in the given type. */
  public Trials to(DType dtype) {
    return new Trials(inputs.to(dtype), targets.to(dtype), mask == null ? null : mask.to(dtype));
  }

  /** A copy on the given device. */
  public Trials to(Device device) {
    return new Trials(inputs.to(device), targets.to(device), mask == null ? null : mask.to(device));
  }

  /** A copy of trials {@code first} to {@code first + length - 1}. */
  public Trials slice(long first, long length) {
    return new Trials(
        inputs.slice(first, length).copy(),
        targets.slice(first, length).copy(),
        mask == null ? null : mask.slice(first, length).copy());
  }

  @Override
  public void close() {
    inputs.close();
    targets.close();
    if (mask != null) {
      mask.close();
    }
  }
}
