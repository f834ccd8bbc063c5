package org.kpflow.linearize;

import java.util.Arrays;
import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.model.CellModel;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Model;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * A model's forward pass on given inputs and its derivatives along it. It is a snapshot: weights,
 * inputs and trajectory are copied, so nothing computed from it changes when they do. Symbols: B
 * trials, T steps, n units of the state, k = B T, p trainable scalars.
 *
 * <p>Models and inputs may lie on any device, the CPU as a rule; what a linearization gives lies on
 * its context's. A cell written in Java runs its forward pass on the CPU.
 */
public final class Linearization implements AutoCloseable {
  private final ExecutionContext context;
  private final LinearizationHandle handle;
  private final List<WeightFamily> families;
  private final List<StateBlock> blocks;
  private final long stepsPerInput;
  private final String description;

  private Linearization(ExecutionContext context, LinearizationHandle handle, Model model) {
    this.context = context;
    this.handle = handle;
    this.families = model.families();
    this.blocks = model.blocks();
    this.stepsPerInput = model.stepsPerInput();
    this.description = model.toString();
  }

  /**
   * Linearizes along the model's own trajectory from a zero initial state; see {@link
   * #of(ExecutionContext, Model, Tensor, Tensor)}.
   */
  public static Linearization of(Model model, Tensor inputs) {
    return of(ExecutionContext.shared(), model, inputs, null);
  }

  /**
   * Runs the model and linearizes along its trajectory. A model that holds its input for several
   * steps of its state (an integrator with stages) has that many times the steps of x.
   *
   * @param inputs x [B, T, n_in], of any type; for a feed-forward model also [B, n_in], one step
   * @param initialState h_0 [B, n], or null for zero; always null for a feed-forward model
   * @throws IllegalArgumentException for inputs of the wrong shape
   * @throws org.kpflow.base.NumericalException if the state overflows
   * @throws org.kpflow.base.MemoryException if the predicted memory is not available
   */
  public static Linearization of(
      ExecutionContext context, Model model, Tensor inputs, Tensor initialState) {
    return along(context, model, inputs, initialState, null);
  }

  /**
   * The same along a given trajectory [B, T, n] in place of the model's own; null runs the model.
   */
  public static Linearization along(
      ExecutionContext context,
      Model model,
      Tensor inputs,
      Tensor initialState,
      Tensor trajectory) {
    return along(context, model, inputs, initialState, trajectory, null);
  }

  /**
   * Runs the model from a zero initial state in the memory of an earlier run on the same context,
   * which is closed if this succeeds; null for none.
   */
  static Linearization again(
      ExecutionContext context, Model model, Tensor inputs, Linearization earlier) {
    return along(context, model, inputs, null, null, earlier == null ? null : earlier.handle);
  }

  private static Linearization along(
      ExecutionContext context,
      Model model,
      Tensor inputs,
      Tensor initialState,
      Tensor trajectory,
      LinearizationHandle old) {
    Checks.notNull(context, "context");
    Checks.notNull(inputs, "inputs");
    if (Checks.notNull(model, "model") instanceof GraphModel graph) {
      Checks.that(
          initialState == null, "initialState: a feed-forward model has none, got one; pass null");
      return new Linearization(
          context, GraphForward.linearize(context, graph, inputs, trajectory, old), graph);
    }
    RecurrentModel recurrent = (RecurrentModel) model;
    Checks.that(
        inputs.shape().rank() == 3, "inputs: expected shape [B, T, n_in], got %s", inputs.shape());
    long trials = inputs.shape().size(0);
    long read = inputs.shape().size(1);
    Checks.that(
        trials >= 1 && read >= 1,
        "inputs: expected at least one trial and one step, got %s",
        inputs.shape());
    Checks.shape(
        "inputs", Shape.of(trials, read, model.inputs()).named("B", "T", "n_in"), inputs.shape());
    if (initialState != null) {
      Checks.shape(
          "initialState",
          Shape.of(trials, model.stateUnits()).named("B", "n"),
          initialState.shape());
    }
    if (trajectory != null) {
      Checks.shape(
          "trajectory",
          Shape.state(trials, read * model.stepsPerInput(), model.stateUnits()),
          trajectory.shape());
    }
    try (Tensor given = readable(recurrent, inputs);
        Tensor x = RecurrentForward.held(given, model.stepsPerInput());
        Tensor initial = initialState == null ? null : readable(recurrent, initialState);
        Tensor path = trajectory == null ? null : readable(recurrent, trajectory)) {
      LinearizationHandle handle =
          RecurrentForward.linearize(context, recurrent, x, initial, path, old);
      return new Linearization(context, handle, recurrent);
    }
  }

  /** A copy in the model's type, where the forward pass can read it. */
  private static Tensor readable(RecurrentModel model, Tensor tensor) {
    Device device = model instanceof CellModel ? Device.CPU : tensor.device();
    return tensor.to(device, model.dtype());
  }

  public ExecutionContext context() {
    return context;
  }

  public DType dtype() {
    return handle.dtype();
  }

  /** A tensor of zeros of this linearization's type on its context's device. */
  public Tensor zeros(Shape shape) {
    return context.zeros(dtype(), shape);
  }

  /** B. */
  public long trials() {
    return handle.trials();
  }

  /** T. */
  public long steps() {
    return handle.steps();
  }

  /** Steps of the state per step of the inputs; the state after input t is that of its last one. */
  public long stepsPerInput() {
    return stepsPerInput;
  }

  /** n. */
  public long units() {
    return handle.units();
  }

  /** The layers of the state; K mixes no two units, so it is a direct sum of one block per unit. */
  public List<LinearizationHandle.Layer> layers() {
    return handle.layers();
  }

  /** m, the state's entries per unit. */
  public long components() {
    return handle.components();
  }

  /** Whether the model steps through time, so that step Jacobians and Φ(t, s) are defined. */
  public boolean stepsThroughTime() {
    return handle.stepsThroughTime();
  }

  /**
   * Refuses a model that does not step through time.
   *
   * @param what needs one that does
   * @throws IllegalArgumentException for a feed-forward model
   */
  public void requireStepsThroughTime(String what) {
    Checks.that(
        stepsThroughTime(), "%s: expected a model that steps through time, got %s", what, this);
  }

  /** k = B T. */
  public long rows() {
    return trials() * steps();
  }

  /** p. */
  public long parameterCount() {
    return handle.parameters();
  }

  /** [B, T, n]. */
  public Shape stateShape() {
    return Shape.state(trials(), steps(), units());
  }

  /** What belongs to the inputs' steps, [B, T_in, d], at every step of the state: [k, d], new. */
  public Tensor held(Tensor perInput) {
    Shape shape = Checks.notNull(perInput, "perInput").shape();
    Checks.that(
        shape.rank() == 3 && shape.size(0) == trials() && shape.size(1) * stepsPerInput == steps(),
        "perInput: expected shape [%d, %d, d], got %s",
        trials(),
        steps() / stepsPerInput,
        shape);
    try (Tensor held = RecurrentForward.held(perInput, stepsPerInput)) {
      return held.reshape(Shape.of(rows(), shape.size(2))).copy();
    }
  }

  /** The named parts of the state, in order. */
  public List<StateBlock> blocks() {
    return blocks;
  }

  /** All families of the model, in the order of theta. */
  public List<WeightFamily> families() {
    return families;
  }

  /** The families that are part of theta, in its order. */
  public List<WeightFamily> trainableFamilies() {
    return families.stream().filter(WeightFamily::trainable).toList();
  }

  /**
   * The family of a name.
   *
   * @throws IllegalArgumentException naming the families there are
   */
  public WeightFamily family(String name) {
    for (WeightFamily family : families) {
      if (family.name().equals(name)) {
        return family;
      }
    }
    Checks.that(
        false,
        "family: expected one of %s, got '%s'",
        families.stream().map(WeightFamily::name).toList(),
        name);
    return null;
  }

  /** The state h [B, T, n], as a new tensor. */
  public Tensor state() {
    Tensor out = zeros(stateShape());
    return filled(out, () -> handle.state(out.memory()));
  }

  /** Copies the state into {@code out} [B, T, n]. */
  void state(Tensor out) {
    Checks.shape("state", stateShape(), out.shape());
    Checks.dtype("state", dtype(), out.dtype());
    handle.state(out.memory());
  }

  /** The sites V_i [k, m_i] of a family, as a new tensor. */
  public Tensor sites(String familyName) {
    WeightFamily family = family(familyName);
    Tensor out = zeros(Shape.of(rows(), family.sites()));
    return filled(out, () -> handle.sites(family.index(), out.memory()));
  }

  /**
   * Step Jacobians ∂h_t/∂h_{t-1} of {@code count} steps from {@code first} on, [B, count, n, n];
   * step 0 with respect to h_0.
   *
   * @throws IllegalArgumentException if the model does not step through time
   */
  public Tensor stepJacobians(long first, long count) {
    requireStepsThroughTime("step Jacobians");
    Checks.that(
        first >= 0 && count >= 0 && first <= steps() - count,
        "steps: expected a part of %d steps, got %d from %d",
        steps(),
        count,
        first);
    Tensor out = zeros(Shape.of(trials(), count, units(), units()));
    return filled(out, () -> handle.stepJacobians(first, count, out.memory()));
  }

  /**
   * Φ(t, s) = J_t J_{t-1} … J_{s+1} of every trial, [B, n, n]: what a change of the state at step s
   * does to the state at step t. Φ(t, t) = I, and Φ(t, s) = 0 for t before s. One step's Jacobians
   * are held at a time, so it takes three arrays of this size; {@code flow.StateTransition} applies
   * Φ without forming it.
   *
   * @throws IllegalArgumentException if a step is not one of 0 to T - 1, or the model does not step
   *     through time
   */
  public Tensor stateTransition(long t, long s) {
    requireStepsThroughTime("state transitions");
    Checks.range("t", t, 0, steps() - 1);
    Checks.range("s", s, 0, steps() - 1);
    if (t < s) {
      return zeros(Shape.of(trials(), units(), units()));
    }
    try (TransitionChain chain = new TransitionChain(this, s)) {
      return chain.advanceTo(t).copy();
    }
  }

  /**
   * Finite-time Lyapunov exponents per step.
   *
   * @param exponents [B, count], in the order of the QR diagonal
   * @param smallestDiagonal the smallest |R_ii| met; an exponent is -infinity where it is 0
   */
  public record Lyapunov(double[][] exponents, double smallestDiagonal) {}

  /**
   * Exponents by QR of the step Jacobians: Q starts as I, J_t Q = Q' R, mean over t of ln|R_ii|.
   * Takes O(B T n³) operations.
   */
  public Lyapunov lyapunov() {
    return lyapunov(units());
  }

  /**
   * The first {@code count} exponents: Q starts as the first columns of I, so they are the first
   * ones of {@link #lyapunov()}, up to rounding. Takes O(B T n² count) operations.
   *
   * @throws IllegalArgumentException if count is not 1 to n, or the model does not step through
   *     time
   */
  public Lyapunov lyapunov(long count) {
    requireStepsThroughTime("Lyapunov exponents");
    Checks.range("exponents", count, 1, units());
    double[] flat = handle.lyapunov(count);
    int width = (int) count;
    double[][] exponents = new double[(int) trials()][];
    for (int b = 0; b < exponents.length; b++) {
      exponents[b] = Arrays.copyOfRange(flat, b * width, (b + 1) * width);
    }
    return new Lyapunov(exponents, flat[flat.length - 1]);
  }

  /**
   * out = A in or A* in on a block, by one native call; only the number of elements is checked.
   * Family is read by the gate maps only.
   */
  public void apply(
      LinearizedMap map, WeightFamily family, boolean adjoint, Tensor in, Tensor out) {
    Checks.notNull(map, "map");
    Checks.notNull(out, "out");
    Checks.dtype("in", dtype(), Checks.notNull(in, "in").dtype());
    Checks.dtype("out", dtype(), out.dtype());
    handle.apply(
        map.ordinal(),
        family == null ? 0 : family.index(),
        adjoint,
        in.shape().size(0),
        in.memory(),
        out.memory());
  }

  /** The native object, for code that works on it without a crossing per product. */
  public LinearizationHandle handle() {
    return handle;
  }

  @Override
  public void close() {
    handle.close();
  }

  private static Tensor filled(Tensor out, Runnable body) {
    try {
      body.run();
      return out;
    } catch (RuntimeException failure) {
      out.close();
      throw failure;
    }
  }

  @Override
  public String toString() {
    return description + ", state " + stateShape();
  }
}
