package org.kpflow.linearize;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.model.Model;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * A model that is run and differentiated again and again while its weights change: each run reads
 * the weights that the model has then, and works in the memory of the run before where that is
 * enough. For a snapshot that nothing changes, see {@link Linearization}.
 */
public final class TrainingPass implements AutoCloseable {
  private final ExecutionContext context;
  private final Model model;
  private Linearization current;
  private Tensor state;

  /** A pass of a model, which stays the caller's. */
  public TrainingPass(ExecutionContext context, Model model) {
    this.context = Checks.notNull(context, "context");
    this.model = Checks.notNull(model, "model");
  }

  /**
   * The state h [B, T, n] on inputs x [B, T_in, n_in] from a zero initial state, T = T_in times
   * {@link Model#stepsPerInput()}; this object's, until the next run.
   *
   * @throws org.kpflow.base.NumericalException if the state overflows
   */
  public synchronized Tensor run(Tensor inputs) {
    try {
      current = Linearization.again(context, model, inputs, current);
    } catch (RuntimeException | Error failure) {
      closeRun(); // what its memory holds now is neither this run nor the one before
      throw failure;
    }
    if (state == null || !state.shape().equals(current.stateShape())) {
      closeState();
      state = current.zeros(current.stateShape());
    }
    current.state(state);
    return state;
  }

  /**
   * The gradient J* err of the last run, in the order of theta.
   *
   * @param error ∂L/∂h [B, T, n]
   * @param gradient [p], overwritten
   * @throws IllegalArgumentException if there is no run, or the last one failed
   */
  public synchronized void parameterVjp(Tensor error, Tensor gradient) {
    Checks.that(current != null, "parameterVjp: expected a run before it");
    Checks.shape("error", current.stateShape(), error.shape());
    Checks.shape("gradient", Shape.of(current.parameterCount()), gradient.shape());
    current.apply(
        LinearizedMap.JACOBIAN,
        null,
        true,
        error.reshape(error.shape().block(1)),
        gradient.reshape(gradient.shape().block(1)));
  }

  private void closeRun() {
    if (current != null) {
      current.close();
      current = null;
    }
  }

  private void closeState() {
    if (state != null) {
      state.close();
      state = null;
    }
  }

  @Override
  public synchronized void close() {
    closeRun();
    closeState();
  }
}
