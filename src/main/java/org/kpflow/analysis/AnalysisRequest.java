package org.kpflow.analysis;

import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.StateSelection;
import org.kpflow.model.Model;
import org.kpflow.model.Readout;
import org.kpflow.model.StateBlock;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * What to analyse and how. The tensors and the model stay the caller's.
 *
 * @param inputs x [B, T, n_in], or [B, n_in] for a feed-forward model
 * @param initialState h_0 [B, n], or null for zero
 * @param readout of the targets; null for none, where the targets are those of the model's output
 *     block itself
 * @param targets [B, T, n_out] of the read-out, or null; at the steps that are analysed they are
 *     compared
 * @param views the reduced views wanted
 * @param modes leading modes and eigenvalues wanted
 * @param method how the views of the NTK are found
 * @param tolerance relative accuracy of the views, 0 for the method's default; see {@link
 *     LinearizationViews.Options}
 * @param wholeSpectrum whether to find all non-zero eigenvalues of the NTK; done anyway where they
 *     are few
 * @param samples weight perturbations, 0 for as many as the tolerance needs
 * @param selection the part of the state to analyse; all of it stands for {@link
 *     StateSelection#whole(Model)}
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
    LinearizationViews.Method method,
    double tolerance,
    int samples,
    boolean wholeSpectrum,
    RngState rng,
    StateSelection selection) {

  /** The views an analysis takes unless told otherwise. */
  public static final List<View> DEFAULT_VIEWS =
      List.of(View.TEMP, View.SPACE, View.BATCH, View.TIME);

  public AnalysisRequest {
    Checks.notNull(context, "context");
    Checks.notNull(model, "model");
    Checks.notNull(inputs, "inputs");
    views = List.copyOf(Checks.notNull(views, "views"));
    Checks.that(modes >= 1, "modes: expected at least 1, got %d", modes);
    Checks.that(readout == null || targets != null, "readout: expected targets with it, got none");
    if (Checks.notNull(selection, "selection").isAll()) {
      selection = StateSelection.whole(model);
    }
    if (targets != null) {
      StateBlock output = model.outputBlock();
      long outputs = readout == null ? output.units() : readout.outputs();
      Shape shape = targets.shape();
      long steps = inputs.shape().rank() == 2 ? 1 : inputs.shape().size(1);
      Checks.that(
          shape.rank() == 3
              && shape.size(0) == inputs.shape().size(0)
              && shape.size(1) == steps
              && shape.size(2) == outputs,
          "targets: expected shape [B, T, %d] of %s for inputs %s, got %s",
          outputs,
          readout == null ? output.name() + ", without a read-out," : "the read-out",
          inputs.shape(),
          shape);
    }
    Checks.that(
        model.parameterCount() > 0,
        "freeze: every weight is frozen; expected at least one trainable");
  }

  /** A request for the whole state. */
  public AnalysisRequest(
      ExecutionContext context,
      Model model,
      Tensor inputs,
      Tensor initialState,
      Readout readout,
      Tensor targets,
      List<View> views,
      int modes,
      LinearizationViews.Method method,
      double tolerance,
      int samples,
      boolean wholeSpectrum,
      RngState rng) {
    this(
        context,
        model,
        inputs,
        initialState,
        readout,
        targets,
        views,
        modes,
        method,
        tolerance,
        samples,
        wholeSpectrum,
        rng,
        StateSelection.all());
  }

  /** The same request for a part of the state. */
  public AnalysisRequest with(StateSelection part) {
    return new AnalysisRequest(
        context,
        model,
        inputs,
        initialState,
        readout,
        targets,
        views,
        modes,
        method,
        tolerance,
        samples,
        wholeSpectrum,
        rng,
        part);
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
        LinearizationViews.Method.AUTO,
        0,
        0,
        false,
        RngState.of(0));
  }
}
