package org.kpflow.model;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A linear read-out of the state, y = h W_outᵀ + b, with the mean squared error against targets.
 * Where the state has more units than W_out has columns (the cell state of an LSTM), the first ones
 * are read. Owns copies of its arrays.
 */
public final class Readout implements AutoCloseable {
  private final ExecutionContext context;
  private final Tensor weight;
  private final Tensor bias;

  /**
   * A read-out.
   *
   * @param weight W_out [n_out, H]
   * @param bias b [n_out], or null for none
   * @throws IllegalArgumentException if the shapes do not go together
   */
  public Readout(ExecutionContext context, Tensor weight, Tensor bias, DType dtype) {
    Checks.notNull(context, "context");
    Checks.notNull(dtype, "dtype");
    Checks.that(
        Checks.notNull(weight, "readout weight").shape().rank() == 2,
        "readout weight: expected shape [n_out, H], got %s",
        weight.shape());
    if (bias != null) {
      Checks.shape("readout bias", Shape.of(weight.shape().size(0)), bias.shape());
    }
    this.context = context;
    this.bias = bias == null ? null : bias.to(dtype);
    try {
      this.weight = weight.to(dtype);
    } catch (RuntimeException failure) {
      close(this.bias);
      throw failure;
    }
  }

  /** n_out. */
  public long outputs() {
    return weight.shape().size(0);
  }

  /** W_out [n_out, H], as the read-out's own tensor. */
  public Tensor weight() {
    return weight;
  }

  /** y [B, T, n_out] of a state [B, T, n], as a new tensor. */
  public Tensor apply(Tensor state) {
    Shape shape = Checks.notNull(state, "state").shape();
    Checks.that(
        shape.rank() == 3 && shape.size(2) >= weight.shape().size(1),
        "state: expected shape [B, T, n] with n at least %d as in the readout weight %s, got %s",
        weight.shape().size(1),
        weight.shape(),
        shape);
    long rows = shape.size(0) * shape.size(1);
    long hidden = weight.shape().size(1);
    Tensor out = Tensor.zeros(weight.dtype(), shape.size(0), shape.size(1), outputs());
    try (Tensor read = Tensor.zeros(weight.dtype(), rows, hidden)) {
      copyUnits(rows, hidden, state, shape.size(2), read, hidden);
      Tensor flat = out.reshape(Shape.of(rows, outputs()));
      if (bias != null) {
        TensorMath.strided(
            new long[] {rows, outputs()},
            1,
            bias,
            new long[] {0, 1},
            0,
            flat,
            new long[] {outputs(), 1});
      }
      TensorMath.gemm(context, false, true, 1, read, weight, 1, flat);
      return out;
    } catch (RuntimeException failure) {
      out.close();
      throw failure;
    }
  }

  /**
   * W_outᵀ applied to each row: y [B, T, n_out] to a state [B, T, n], zero in the units that are
   * not read; a new tensor.
   */
  public Tensor lift(Tensor outputs, long units) {
    Shape shape = Checks.notNull(outputs, "outputs").shape();
    Checks.that(
        shape.rank() == 3 && shape.size(2) == outputs(),
        "outputs: expected shape [B, T, %d], got %s",
        outputs(),
        shape);
    long rows = shape.size(0) * shape.size(1);
    long hidden = weight.shape().size(1);
    Checks.that(units >= hidden, "units: expected at least %d, got %d", hidden, units);
    Tensor state = Tensor.zeros(weight.dtype(), Shape.state(shape.size(0), shape.size(1), units));
    try (Tensor lifted = Tensor.zeros(weight.dtype(), rows, hidden)) {
      TensorMath.gemm(
          context, false, false, 1, outputs.reshape(Shape.of(rows, outputs())), weight, 0, lifted);
      copyUnits(rows, hidden, lifted, hidden, state, units);
      return state;
    } catch (RuntimeException failure) {
      state.close();
      throw failure;
    }
  }

  /** The mean squared error of a state's outputs and its derivative with respect to the state. */
  public record Loss(double value, Tensor error) implements AutoCloseable {
    @Override
    public void close() {
      error.close();
    }
  }

  /**
   * Loss mean (y - targets)² over all B T n_out entries, err = (2 / (B T n_out)) (y - targets)
   * W_out [B, T, n].
   */
  public Loss meanSquaredError(Tensor state, Tensor targets) {
    Checks.notNull(targets, "targets");
    try (Tensor difference = apply(state)) {
      Checks.shape("targets", difference.shape(), targets.shape());
      Checks.dtype("targets", difference.dtype(), targets.dtype());
      TensorMath.axpby(context, -1, targets, 1, difference);
      double loss = TensorMath.dot(context, difference, difference) / difference.count();
      Tensor error = lift(difference, state.shape().size(2));
      try (Tensor raw = error.copy()) {
        TensorMath.axpby(context, 2.0 / difference.count(), raw, 0, error);
      }
      return new Loss(loss, error);
    }
  }

  private static void copyUnits(
      long rows, long units, Tensor from, long fromStride, Tensor to, long toStride) {
    TensorMath.strided(
        new long[] {rows, units},
        1,
        from,
        new long[] {fromStride, 1},
        0,
        to,
        new long[] {toStride, 1});
  }

  @Override
  public void close() {
    weight.close();
    close(bias);
  }

  private static void close(Tensor optional) {
    if (optional != null) {
      optional.close();
    }
  }
}
