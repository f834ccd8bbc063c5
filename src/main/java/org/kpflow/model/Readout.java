package org.kpflow.model;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A linear read-out of one block h of the state, y = h W_outᵀ + b, with the mean squared error
 * against targets: of {@link Model#outputBlock()} where nothing else is meant. Owns copies of its
 * arrays.
 */
public final class Readout implements AutoCloseable {
  private final ExecutionContext context;
  private final Tensor weight;
  private final Tensor bias;
  private final StateBlock block;

  /**
   * A read-out.
   *
   * @param weight W_out [n_out, H]
   * @param bias b [n_out], or null for none
   * @param block the H units of the state that are read
   * @throws IllegalArgumentException if the shapes do not go together
   */
  public Readout(
      ExecutionContext context, Tensor weight, Tensor bias, StateBlock block, DType dtype) {
    Checks.notNull(context, "context");
    Checks.notNull(dtype, "dtype");
    Checks.notNull(block, "block");
    Checks.that(
        Checks.notNull(weight, "readout weight").shape().rank() == 2
            && weight.shape().size(1) == block.units(),
        "readout weight: expected shape [n_out, %d] to read %s, got %s",
        block.units(),
        block.name(),
        weight.shape());
    if (bias != null) {
      Checks.shape("readout bias", Shape.of(weight.shape().size(0)), bias.shape());
    }
    this.context = context;
    this.block = block;
    this.bias = bias == null ? null : bias.to(dtype);
    try {
      this.weight = weight.to(dtype);
    } catch (RuntimeException failure) {
      close(this.bias);
      throw failure;
    }
  }

  /** The block itself as the output, y = h, for models that end in it. */
  public static Readout identity(ExecutionContext context, StateBlock block, DType dtype) {
    long units = Checks.notNull(block, "block").units();
    try (Tensor identity = Tensor.zeros(DType.F64, units, units)) {
      for (long i = 0; i < units; i++) {
        identity.set(1, i, i);
      }
      return new Readout(context, identity, null, block, dtype);
    }
  }

  /** A copy that reads as many units at another place, as of a state of which a part is left. */
  public Readout at(StateBlock place) {
    return new Readout(context, weight, bias, place, weight.dtype());
  }

  /** What is read. */
  public StateBlock block() {
    return block;
  }

  /** n_out. */
  public long outputs() {
    return weight.shape().size(0);
  }

  /** W_out [n_out, H], as the read-out's own tensor. */
  public Tensor weight() {
    return weight;
  }

  /** b [n_out], as the read-out's own tensor; null where it has none. */
  public Tensor bias() {
    return bias;
  }

  /** y [B, T, n_out] of a state [B, T, n], as a new tensor. */
  public Tensor apply(Tensor state) {
    Shape shape = Checks.notNull(state, "state").shape();
    Checks.that(
        shape.rank() == 3 && shape.size(2) >= end(),
        "state: expected shape [B, T, n] with n at least %d to read %s, got %s",
        end(),
        block.name(),
        shape);
    long rows = shape.size(0) * shape.size(1);
    long hidden = weight.shape().size(1);
    Tensor out = Tensor.zeros(weight.dtype(), shape.size(0), shape.size(1), outputs());
    try (Tensor read = Tensor.zeros(weight.dtype(), rows, hidden)) {
      copyUnits(rows, hidden, state, shape.size(2), block.begin(), read, hidden, 0);
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
    Checks.that(units >= end(), "units: expected at least %d, got %d", end(), units);
    Tensor state = Tensor.zeros(weight.dtype(), Shape.state(shape.size(0), shape.size(1), units));
    try (Tensor lifted = Tensor.zeros(weight.dtype(), rows, hidden)) {
      TensorMath.gemm(
          context, false, false, 1, outputs.reshape(Shape.of(rows, outputs())), weight, 0, lifted);
      copyUnits(rows, hidden, lifted, hidden, 0, state, units, block.begin());
      return state;
    } catch (RuntimeException failure) {
      state.close();
      throw failure;
    }
  }

  /**
   * The mean squared error of a state's outputs and its derivatives.
   *
   * @param error ∂L/∂h [B, T, n]
   * @param outputError ∂L/∂y [B, T, n_out]
   */
  public record Loss(double value, Tensor error, Tensor outputError) implements AutoCloseable {
    @Override
    public void close() {
      error.close();
      outputError.close();
    }
  }

  /** {@link #meanSquaredError(Tensor, Tensor, Tensor)} over all steps. */
  public Loss meanSquaredError(Tensor state, Tensor targets) {
    return meanSquaredError(state, targets, null);
  }

  /**
   * Loss mean (y - targets)² over the N entries that count, ∂L/∂y = (2 / N) (y - targets) there and
   * 0 elsewhere, ∂L/∂h = ∂L/∂y W_out.
   *
   * @param mask [B, T], 1 where the n_out entries of a step count and 0 elsewhere; null for all
   */
  public Loss meanSquaredError(Tensor state, Tensor targets, Tensor mask) {
    Checks.notNull(targets, "targets");
    Tensor difference = apply(state);
    try {
      Checks.shape("targets", difference.shape(), targets.shape());
      Checks.dtype("targets", difference.dtype(), targets.dtype());
      TensorMath.axpby(context, -1, targets, 1, difference);
      double counted = difference.count();
      if (mask != null) {
        counted = outputs() * masked(difference, mask);
      }
      double loss = TensorMath.dot(context, difference, difference) / counted;
      TensorMath.scale(context, 2 / counted, difference);
      return new Loss(loss, lift(difference, state.shape().size(2)), difference);
    } catch (RuntimeException failure) {
      difference.close();
      throw failure;
    }
  }

  /** Multiplies every step's entries by its mask; the number of steps that count. */
  private static double masked(Tensor outputs, Tensor mask) {
    Shape steps = Shape.of(outputs.shape().size(0), outputs.shape().size(1));
    Checks.shape("mask", steps, mask.shape());
    double[] weights = mask.toDoubles();
    double[] values = outputs.toDoubles();
    int width = values.length / weights.length;
    double counted = 0;
    for (int row = 0; row < weights.length; row++) {
      Checks.that(
          weights[row] == 0 || weights[row] == 1, "mask: expected 0 or 1, got %s", weights[row]);
      counted += weights[row];
      for (int i = row * width; i < (row + 1) * width; i++) {
        values[i] *= weights[row];
      }
    }
    Checks.that(counted > 0, "mask: expected at least one step that counts, got none");
    outputs.copyFrom(values);
    return counted;
  }

  /**
   * The gradients of the read-out itself: ∂L/∂W_out = Σ ∂L/∂y hᵀ and ∂L/∂b = Σ ∂L/∂y over all
   * trials and steps.
   *
   * @param state [B, T, n]
   * @param outputError ∂L/∂y [B, T, n_out]
   * @param weightGradient [n_out, H], overwritten
   * @param biasGradient [n_out], overwritten; null where there is no bias
   */
  public void pull(Tensor state, Tensor outputError, Tensor weightGradient, Tensor biasGradient) {
    long rows = outputError.count() / outputs();
    long hidden = weight.shape().size(1);
    Tensor rowErrors = outputError.reshape(Shape.of(rows, outputs()));
    try (Tensor read = Tensor.zeros(weight.dtype(), rows, hidden)) {
      copyUnits(rows, hidden, state, state.shape().size(2), block.begin(), read, hidden, 0);
      TensorMath.gemm(context, true, false, 1, rowErrors, read, 0, weightGradient);
    }
    if (biasGradient != null) {
      try (Tensor ones = Tensor.zeros(weight.dtype(), 1, rows)) {
        double[] filled = new double[Math.toIntExact(rows)];
        Arrays.fill(filled, 1);
        ones.copyFrom(filled);
        Tensor sums = biasGradient.reshape(biasGradient.shape().block(1));
        TensorMath.gemm(context, false, false, 1, ones, rowErrors, 0, sums);
      }
    }
  }

  private long end() {
    return block.begin() + block.units();
  }

  /** to[:, toBegin + i] = from[:, fromBegin + i] of matrices [rows, width]. */
  private static void copyUnits(
      long rows,
      long units,
      Tensor from,
      long fromWidth,
      long fromBegin,
      Tensor to,
      long toWidth,
      long toBegin) {
    TensorMath.strided(
        new long[] {rows, units},
        1,
        from.reshape(Shape.of(from.count())).slice(fromBegin, from.count() - fromBegin),
        new long[] {fromWidth, 1},
        0,
        to.reshape(Shape.of(to.count())).slice(toBegin, to.count() - toBegin),
        new long[] {toWidth, 1});
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
