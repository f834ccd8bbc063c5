package org.kpflow.linearize;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.model.Model;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * A model that is run and differentiated again and again while its weights change: each run reads
 * the weights that the model has then. For a snapshot that nothing changes, see {@link
 * Linearization}.
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
   * The state h [B, T, n] on inputs x [B, T, n_in] from a zero initial state; this object's, until
   * the next run.
   *
   * @throws org.kpflow.base.NumericalException if the state overflows
   */
  public Tensor run(Tensor inputs) {
    close();
    current = Linearization.of(context, model, inputs, null);
    state = current.state();
    return state;
  }

  /**
   * The gradient J* err of the last run, in the order of theta.
   *
   * @param error ∂L/∂h [B, T, n]
   * @param gradient [p], overwritten
   */
  public void parameterVjp(Tensor error, Tensor gradient) {
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

  @Override
  public void close() {
    if (current != null) {
      current.close();
      state.close();
      current = null;
      state = null;
    }
  }
}
