package org.kpflow.tensor;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.ReadoutArrays;
import org.kpflow.nativelib.TrainingKernels;

/**
 * Linear maps of a part of every row of a state, y = W h + b, and the squared error of what comes
 * out, by native kernels. The last axis of a state is n, all axes before it are rows. Results do
 * not depend on the thread count.
 */
public final class ReadoutMath {
  private ReadoutMath() {}

  /**
   * y = W h + b of every row.
   *
   * @param weight W [outputs, width]
   * @param bias b [outputs], or null for none
   * @param begin the first of the width units of the state that are read
   * @param state [..., n]
   * @param y [..., outputs], overwritten
   */
  public static void apply(
      ExecutionContext context, Tensor weight, Tensor bias, long begin, Tensor state, Tensor y) {
    arrays(context, weight, bias, begin, state, y)
        .apply(context.handle(), state.memory(), y.memory());
  }

  /** The adjoint of W: state = y W in the units that are read, and 0 in the others. */
  public static void adjoint(
      ExecutionContext context, Tensor weight, long begin, Tensor y, Tensor state) {
    arrays(context, weight, null, begin, state, y)
        .adjoint(context.handle(), y.memory(), state.memory());
  }

  /**
   * The gradients of W and b from those of the outputs: Σ yᵀ h and Σ y over all rows.
   *
   * @param state [..., n]
   * @param y ∂L/∂y [..., outputs]
   * @param weight [outputs, width], overwritten
   * @param bias [outputs], overwritten, or null where it is not wanted
   */
  public static void gradient(
      ExecutionContext context, long begin, Tensor state, Tensor y, Tensor weight, Tensor bias) {
    arrays(context, weight, bias, begin, state, y)
        .gradient(context.handle(), state.memory(), y.memory());
  }

  /**
   * The mean of (y - targets)² over the entries of the rows that count; y becomes its derivative, 0
   * in rows that do not count.
   *
   * @param y [B, T, outputs], overwritten
   * @param targets of the same shape
   * @param mask [B, T], 1 where the outputs count and 0 elsewhere; null for all
   * @throws IllegalArgumentException if the mask holds anything else, or no 1
   */
  public static double meanSquaredError(
      ExecutionContext context, Tensor y, Tensor targets, Tensor mask) {
    Checks.notNull(context, "context");
    Shape shape = Checks.notNull(y, "y").shape();
    Checks.shape("targets", shape, Checks.notNull(targets, "targets").shape());
    Checks.dtype("targets", y.dtype(), targets.dtype());
    TensorMath.onDevice(context, "y", y);
    TensorMath.onDevice(context, "targets", targets);
    long outputs = shape.size(shape.rank() - 1);
    if (mask != null) {
      Checks.shape("mask", Shape.of(shape.size(0), shape.size(1)), mask.shape());
      Checks.dtype("mask", y.dtype(), mask.dtype());
      TensorMath.onDevice(context, "mask", mask);
    }
    return TrainingKernels.meanSquaredError(
        context.handle(),
        y.dtype(),
        y.count() / outputs,
        outputs,
        y.memory(),
        targets.memory(),
        mask == null ? null : mask.memory());
  }

  private static ReadoutArrays arrays(
      ExecutionContext context, Tensor weight, Tensor bias, long begin, Tensor state, Tensor y) {
    Checks.notNull(context, "context");
    Checks.that(
        Checks.notNull(weight, "weight").shape().rank() == 2,
        "weight: expected a matrix, got shape %s",
        weight.shape());
    long outputs = weight.shape().size(0);
    long width = weight.shape().size(1);
    long units = last(Checks.notNull(state, "state"));
    Checks.dtype("state", weight.dtype(), state.dtype());
    Checks.dtype("y", weight.dtype(), Checks.notNull(y, "y").dtype());
    TensorMath.onDevice(context, "weight", weight);
    TensorMath.onDevice(context, "state", state);
    TensorMath.onDevice(context, "y", y);
    Checks.that(
        begin >= 0 && begin <= units - width,
        "state: expected units %d to %d, got shape %s",
        begin,
        begin + width - 1,
        state.shape());
    long rows = state.count() / units;
    Checks.that(
        last(y) == outputs && y.count() == rows * outputs,
        "y: expected %d rows of %d, got shape %s",
        rows,
        outputs,
        y.shape());
    if (bias != null) {
      Checks.dtype("bias", weight.dtype(), bias.dtype());
      Checks.shape("bias", Shape.of(outputs), bias.shape());
      TensorMath.onDevice(context, "bias", bias);
    }
    return new ReadoutArrays(
        weight.dtype(),
        rows,
        units,
        begin,
        width,
        outputs,
        weight.memory(),
        bias == null ? null : bias.memory());
  }

  private static long last(Tensor rows) {
    return rows.shape().size(rows.shape().rank() - 1);
  }
}
