package org.kpflow.analysis;

import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.model.Model;
import org.kpflow.model.Readout;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * What to analyse and how. The tensors and the model stay the caller's.
 *
 * @param inputs x [B, T, n_in]
 * @param initialState h_0 [B, n], or null for zero
 * @param readout null for none
 * @param targets [B, T, n_out] of the read-out, or null
 * @param views the reduced views wanted
 * @param modes leading modes and eigenvalues wanted
 * @param samples weight perturbations of the sampled method
 */
public record AnalysisRequest(
    ExecutionContext context,
    Model model,
    Tensor inputs,
    Tensor initialState,
    Readout readout,
    Tensor targets,
    List<View> views,
    int modes,
    Method method,
    int samples,
    RngState rng) {

  /** The views an analysis takes unless told otherwise. */
  public static final List<View> DEFAULT_VIEWS =
      List.of(View.TEMP, View.SPACE, View.BATCH, View.TIME);

  /** How the reduced views are found. */
  public enum Method {
    /** Exact for small models, else sampled. */
    AUTO,
    /** Exact, from basis vectors. */
    BASIS,
    /** Unbiased, from random weight perturbations, with standard errors. */
    SAMPLED;

    @Override
    public String toString() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  public AnalysisRequest {
    Checks.notNull(context, "context");
    Checks.notNull(model, "model");
    Checks.notNull(inputs, "inputs");
    views = List.copyOf(Checks.notNull(views, "views"));
    Checks.that(modes >= 1, "modes: expected at least 1, got %d", modes);
    Checks.that(
        method == Method.BASIS || samples >= 4, "samples: expected at least 4, got %d", samples);
    Checks.that(
        (readout == null) == (targets == null), "targets and readout: expected both or neither");
    Checks.that(
        model.parameterCount() > 0,
        "freeze: every weight is frozen; expected at least one trainable");
  }

  /** The usual analysis of a model on its inputs. */
  public static AnalysisRequest of(ExecutionContext context, Model model, Tensor inputs) {
    return new AnalysisRequest(
        context,
        model,
        inputs,
        null,
        null,
        null,
        DEFAULT_VIEWS,
        10,
        Method.AUTO,
        256,
        RngState.of(0));
  }
}
