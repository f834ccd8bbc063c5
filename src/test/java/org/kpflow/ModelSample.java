package org.kpflow;

import java.util.ArrayList;
import java.util.List;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Model;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** A model with inputs; closing it closes all it made. */
public abstract class ModelSample<M extends Model> implements AutoCloseable {
  /** The model. */
  public final M model;

  /** x [B, T, n_in] in f64. */
  public final Tensor inputs;

  /** h_0 [B, n] in f64, null for a feed-forward model. */
  public final Tensor initial;

  private final List<AutoCloseable> made = new ArrayList<>();

  /** Takes all three over. */
  protected ModelSample(M model, Tensor inputs, Tensor initial) {
    this.model = model;
    this.inputs = inputs;
    this.initial = initial;
  }

  /** The linearization from the initial state, in the shared context. */
  public Linearization linearize() {
    return linearize(ExecutionContext.shared());
  }

  /** The linearization from the initial state. */
  public Linearization linearize(ExecutionContext context) {
    return keep(Linearization.of(context, model, inputs, initial));
  }

  /** Closes something together with this. */
  public <T extends AutoCloseable> T keep(T resource) {
    made.add(resource);
    return resource;
  }

  @Override
  public void close() {
    for (int i = made.size() - 1; i >= 0; i--) {
      try {
        made.get(i).close();
      } catch (Exception failure) {
        throw new IllegalStateException(failure);
      }
    }
    model.close();
    inputs.close();
    if (initial != null) {
      initial.close();
    }
  }
}
