package org.kpflow.model;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.ReadoutMath;
import org.kpflow.tensor.Tensor;

/**
 * A linear read-out of one block h of the state, y = h W_outᵀ + b, with the mean squared error
 * against targets: of {@link Model#outputBlock()} where nothing else is meant. Owns copies of its
 * arrays on the context's device, where states, outputs, targets and masks lie too.
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
    this.bias = bias == null ? null : bias.to(context.device(), dtype);
    try {
      this.weight = weight.to(context.device(), dtype);
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
    return on(context, place);
  }

  /** The same in another context. */
  public Readout on(ExecutionContext other, StateBlock place) {
    return new Readout(other, weight, bias, place, weight.dtype());
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
    Tensor out = context.zeros(weight.dtype(), shape.size(0), shape.size(1), outputs());
    try {
      ReadoutMath.apply(context, weight, bias, block.begin(), state, out);
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
    Checks.that(units >= end(), "units: expected at least %d, got %d", end(), units);
    Tensor state = context.zeros(weight.dtype(), Shape.state(shape.size(0), shape.size(1), units));
    try {
      ReadoutMath.adjoint(context, weight, block.begin(), outputs, state);
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
      double loss = ReadoutMath.meanSquaredError(context, difference, targets, mask);
      return new Loss(loss, lift(difference, state.shape().size(2)), difference);
    } catch (RuntimeException failure) {
      difference.close();
      throw failure;
    }
  }

  private long end() {
    return block.begin() + block.units();
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
