package org.kpflow.analysis;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
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
 * What to analyse and how: {@link #of} for the usual analysis of a model on its inputs, and methods
 * that give the same request but for one thing. Immutable. The tensors and the model stay the
 * caller's.
 */
public final class AnalysisRequest implements Cloneable {
  /** The views an analysis takes unless told otherwise. */
  public static final List<View> DEFAULT_VIEWS =
      List.of(View.TEMP, View.SPACE, View.BATCH, View.TIME);

  private static final int DEFAULT_MODES = 10;

  private final ExecutionContext context;
  private final Model model;
  private final Tensor inputs;
  private Tensor initialState;
  private Readout readout;
  private Tensor targets;
  private Tensor mask;
  private List<View> views = DEFAULT_VIEWS;
  private int modes = DEFAULT_MODES;
  private LinearizationViews.Method method = LinearizationViews.Method.AUTO;
  private double tolerance;
  private int samples;
  private boolean wholeSpectrum;
  private RngState rng = RngState.of(0);
  private StateSelection selection;

  private AnalysisRequest(ExecutionContext context, Model model, Tensor inputs) {
    this.context = Checks.notNull(context, "context");
    this.model = Checks.notNull(model, "model");
    this.inputs = Checks.notNull(inputs, "inputs");
    this.selection = StateSelection.whole(model);
    Checks.that(
        model.parameterCount() > 0,
        "freeze: every weight is frozen; expected at least one trainable");
  }

  /**
   * The usual analysis of the whole state, without targets.
   *
   * @param inputs x [B, T, n_in], or [B, n_in] for a feed-forward model
   */
  public static AnalysisRequest of(ExecutionContext context, Model model, Tensor inputs) {
    return new AnalysisRequest(context, model, inputs);
  }

  private AnalysisRequest with(Consumer<AnalysisRequest> change) {
    try {
      AnalysisRequest copy = (AnalysisRequest) clone();
      change.accept(copy);
      return copy;
    } catch (CloneNotSupportedException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** From this state [B, n], or null for zero. */
  public AnalysisRequest initialState(Tensor state) {
    return with(copy -> copy.initialState = state);
  }

  /** {@link #targets(Readout, Tensor, Tensor)} of which all steps count. */
  public AnalysisRequest targets(Readout by, Tensor wanted) {
    return targets(by, wanted, null);
  }

  /**
   * With targets.
   *
   * @param by the read-out that they are of; null where they are those of the model's output block
   *     itself
   * @param wanted [B, T, n_out], at the steps of the inputs; null for none
   * @param mask [B, T], 1 where the n_out entries of a step count towards the loss and 0 elsewhere;
   *     null for all
   * @throws IllegalArgumentException if they do not go with inputs and read-out, or if the mask has
   *     other numbers, or no 1
   */
  public AnalysisRequest targets(Readout by, Tensor wanted, Tensor mask) {
    Checks.that(by == null || wanted != null, "readout: expected targets with it, got none");
    Checks.that(mask == null || wanted != null, "mask: expected targets with it, got none");
    if (wanted != null) {
      requireTargets(by, wanted);
    }
    if (mask != null) {
      requireMask(mask, wanted.shape());
    }
    return with(
        copy -> {
          copy.readout = by;
          copy.targets = wanted;
          copy.mask = mask;
        });
  }

  private static void requireMask(Tensor mask, Shape targets) {
    Checks.shape("mask", Shape.of(targets.size(0), targets.size(1)), mask.shape());
    double[] values = mask.toDoubles();
    for (double value : values) {
      Checks.that(value == 0 || value == 1, "mask: expected 0 and 1, got %s", value);
    }
    Checks.that(
        Arrays.stream(values).anyMatch(value -> value == 1),
        "mask: expected a step that counts in these trials, got none");
  }

  private void requireTargets(Readout by, Tensor wanted) {
    StateBlock output = model.outputBlock();
    long outputs = by == null ? output.units() : by.outputs();
    Shape shape = wanted.shape();
    long steps = inputs.shape().rank() == 2 ? 1 : inputs.shape().size(1);
    Checks.that(
        shape.rank() == 3
            && shape.size(0) == inputs.shape().size(0)
            && shape.size(1) == steps
            && shape.size(2) == outputs,
        "targets: expected shape [B, T, %d] of %s for inputs %s, got %s",
        outputs,
        by == null ? output.name() + ", without a read-out," : "the read-out",
        inputs.shape(),
        shape);
  }

  /** These reduced views. */
  public AnalysisRequest views(List<View> wanted) {
    List<View> fixed = List.copyOf(Checks.notNull(wanted, "views"));
    return with(copy -> copy.views = fixed);
  }

  /** So many leading modes and eigenvalues, at least 1. */
  public AnalysisRequest modes(int count) {
    Checks.that(count >= 1, "modes: expected at least 1, got %d", count);
    return with(copy -> copy.modes = count);
  }

  /** The views of the NTK found this way. */
  public AnalysisRequest method(LinearizationViews.Method wanted) {
    Checks.notNull(wanted, "method");
    return with(copy -> copy.method = wanted);
  }

  /**
   * The views of the NTK of this relative accuracy, 0 for the method's default; see {@link
   * LinearizationViews.Options}.
   */
  public AnalysisRequest tolerance(double relative) {
    return with(copy -> copy.tolerance = relative);
  }

  /** So many weight perturbations, 0 for as many as the tolerance needs. */
  public AnalysisRequest samples(int count) {
    return with(copy -> copy.samples = count);
  }

  /** Whether to find all non-zero eigenvalues of the NTK; it is done anyway where they are few. */
  public AnalysisRequest wholeSpectrum(boolean wanted) {
    return with(copy -> copy.wholeSpectrum = wanted);
  }

  /** Random numbers from this stream. */
  public AnalysisRequest rng(RngState stream) {
    Checks.notNull(stream, "rng");
    return with(copy -> copy.rng = stream);
  }

  /** Of this part of the state; all of it stands for {@link StateSelection#whole(Model)}. */
  public AnalysisRequest with(StateSelection part) {
    StateSelection kept =
        Checks.notNull(part, "selection").isAll() ? StateSelection.whole(model) : part;
    return with(copy -> copy.selection = kept);
  }

  ExecutionContext context() {
    return context;
  }

  Model model() {
    return model;
  }

  Tensor inputs() {
    return inputs;
  }

  Tensor initialState() {
    return initialState;
  }

  Readout readout() {
    return readout;
  }

  Tensor targets() {
    return targets;
  }

  /** Null where all steps count. */
  Tensor mask() {
    return mask;
  }

  List<View> views() {
    return views;
  }

  int modes() {
    return modes;
  }

  LinearizationViews.Method method() {
    return method;
  }

  double tolerance() {
    return tolerance;
  }

  int samples() {
    return samples;
  }

  boolean wholeSpectrum() {
    return wholeSpectrum;
  }

  RngState rng() {
    return rng;
  }

  StateSelection selection() {
    return selection;
  }
}
