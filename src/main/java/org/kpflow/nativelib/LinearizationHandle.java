package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.PointerPointer;
import org.kpflow.base.DType;

/**
 * A native linearization: forward pass, snapshot of the weights, derivatives along the trajectory.
 */
public final class LinearizationHandle implements AutoCloseable {
  private final ContextHandle context;
  private final DType dtype;
  private final Life life;
  private final long[] sizes;
  private final long[][] families; // {n_f, m_f, offset}
  private final List<Layer> layers;

  private LinearizationHandle(
      ContextHandle context, DType dtype, NativeLinearization linearization) {
    this.context = context;
    this.dtype = dtype;
    this.life = new Life(linearization);
    life.guard(this);
    this.sizes = new long[8];
    try (LongPointer out = new LongPointer(8)) {
      Engine.check(Kpflow.kpflow_linearization_sizes(linearization, out));
      out.get(sizes);
      this.families = new long[(int) sizes[4]][3];
      for (int f = 0; f < families.length; f++) {
        Engine.check(Kpflow.kpflow_linearization_family(linearization, f, out));
        out.get(families[f]);
      }
      Layer[] found = new Layer[(int) sizes[5]];
      for (int j = 0; j < found.length; j++) {
        Engine.check(Kpflow.kpflow_linearization_layer(linearization, j, out));
        found[j] = new Layer(out.get(0), out.get(1), out.get(2));
      }
      this.layers = List.of(found);
    }
  }

  /**
   * Units first to first + units - 1, which K does not mix with others. Component c of unit first +
   * i is the state's entry begin + c units + i.
   */
  public record Layer(long first, long units, long begin) {}

  /** Runs the forward pass of a recurrent model and linearizes along it. */
  public static LinearizationHandle recurrent(ContextHandle context, RecurrentDescription model) {
    return created(
        context,
        model.dtype(),
        out ->
            model.run(
                context, (c, d, monitor) -> Kpflow.kpflow_recurrent_linearize(c, d, monitor, out)));
  }

  /** Runs the forward pass of a feed-forward model and linearizes along it. */
  public static LinearizationHandle graph(ContextHandle context, GraphDescription model) {
    return created(
        context,
        model.dtype(),
        out ->
            model.run(
                context, (c, d, monitor) -> Kpflow.kpflow_graph_linearize(c, d, monitor, out)));
  }

  private static LinearizationHandle created(
      ContextHandle context, DType dtype, Consumer<PointerPointer<NativeLinearization>> body) {
    try (PointerPointer<NativeLinearization> out = new PointerPointer<>(1)) {
      body.accept(out);
      return new LinearizationHandle(context, dtype, out.get(NativeLinearization.class));
    }
  }

  /**
   * Runs a recurrent model of the same type in the memory of this linearization of another one,
   * which is closed, whatever happens.
   *
   * @throws IllegalStateException if this one is closed or in use
   */
  public LinearizationHandle replaced(RecurrentDescription model) {
    return replaced(
        model.dtype(),
        old ->
            model.run(
                context, (c, d, monitor) -> Kpflow.kpflow_recurrent_relinearize(old, d, monitor)));
  }

  /** The same for feed-forward models. */
  public LinearizationHandle replaced(GraphDescription model) {
    return replaced(
        model.dtype(),
        old ->
            model.run(
                context, (c, d, monitor) -> Kpflow.kpflow_graph_relinearize(old, d, monitor)));
  }

  private LinearizationHandle replaced(DType type, Consumer<NativeLinearization> body) {
    life.handOver();
    try {
      body.accept(life.linearization);
    } catch (RuntimeException | Error failure) {
      Kpflow.kpflow_linearization_destroy(life.linearization);
      throw failure;
    }
    return new LinearizationHandle(context, type, life.linearization);
  }

  public DType dtype() {
    return dtype;
  }

  /** B. */
  public long trials() {
    return sizes[0];
  }

  /** T. */
  public long steps() {
    return sizes[1];
  }

  /** n, the units of the state. */
  public long units() {
    return sizes[2];
  }

  /** p, the trainable scalars. */
  public long parameters() {
    return sizes[3];
  }

  /** The layers, in the order of their units and of their states. */
  public List<Layer> layers() {
    return layers;
  }

  /** m, state entries per unit. */
  public long components() {
    return sizes[6];
  }

  /** Whether there are step Jacobians and what is made of them. */
  public boolean stepsThroughTime() {
    return sizes[7] != 0;
  }

  /** Copies the state h into out [B, T, n]. */
  public void state(NativeMemory out) {
    Engine.holds(out, dtype, sizes[0] * sizes[1] * sizes[2]);
    monitored(monitor -> Kpflow.kpflow_linearization_state(life.linearization, out.pointer()), out);
  }

  /** Copies the sites of a family into out [k, m_f]. */
  public void sites(int family, NativeMemory out) {
    Engine.holds(out, dtype, Engine.product(sizes[0], sizes[1], known(family)[1]));
    monitored(
        monitor -> Kpflow.kpflow_linearization_sites(life.linearization, family, out.pointer()),
        out);
  }

  private long[] known(int family) {
    Engine.require(
        family >= 0 && family < families.length, "family: expected one that this model has");
    return families[family];
  }

  /** Step Jacobians of steps first to first + count - 1 into out [B, count, n, n]. */
  public void stepJacobians(long first, long count, NativeMemory out) {
    Engine.holds(out, dtype, Engine.product(sizes[0], count, sizes[2], sizes[2]));
    life.acquire();
    try {
      context.call(
          c ->
              Kpflow.kpflow_linearization_step_jacobians(
                  life.linearization, first, count, out.pointer()),
          out);
    } finally {
      life.release();
    }
  }

  /** The first finite-time exponents [B, exponents], row-major, then the smallest |R_ii| met. */
  public double[] lyapunov(long exponents) {
    int count = Math.toIntExact(Engine.product(sizes[0], exponents));
    double[] result = new double[count + 1];
    try (DoublePointer out = new DoublePointer(count + 1L)) {
      monitored(
          monitor ->
              Kpflow.kpflow_linearization_lyapunov(
                  life.linearization,
                  exponents,
                  out,
                  new DoublePointer(out.getPointer(count)),
                  monitor));
      out.get(result);
    }
    return result;
  }

  /**
   * What {@link #unitModes} found.
   *
   * @param ranks modes of each unit
   * @param rest [count, 2]: bounds on the norm and on the trace of what they leave out of K_u
   */
  public record UnitModes(long[] ranks, double[] rest) {}

  /**
   * Eigenpairs above {@code cut} of the blocks K_u of K for units first to first + count - 1 of one
   * layer. All arrays lie on the CPU.
   *
   * @param gramFirst Σ V Vᵀ [k, k] in f64 over the layer's trainable families that have the first
   *     kind of slopes, null if there is none: those of a recurrent layer that read its input; all
   *     of a linear node; the bias β of a layer norm
   * @param gramSecond the same of the second kind: those of a recurrent layer that read its state;
   *     for the scale γ of a layer norm, whose sites are these slopes, 1 1ᵀ
   * @param tolerance trace that the Cholesky factorization of a block may leave out
   * @param most room for modes per unit; a unit with more has none written
   * @param modes [count, most, m k] in f64, values [count, most] in f64
   */
  public UnitModes unitModes(
      NativeMemory gramFirst,
      NativeMemory gramSecond,
      long first,
      long count,
      double tolerance,
      double cut,
      long most,
      NativeMemory modes,
      NativeMemory values) {
    long rows = Engine.product(sizes[0], sizes[1]);
    long size = Engine.product(rows, sizes[6]);
    Engine.holds(modes, DType.F64, Engine.product(count, most, size));
    Engine.holds(values, DType.F64, Engine.product(count, most));
    List<NativeMemory> used = new ArrayList<>(List.of(modes, values));
    for (NativeMemory gram : Arrays.asList(gramFirst, gramSecond)) {
      if (gram != null) {
        Engine.holds(gram, DType.F64, Engine.product(rows, rows));
        used.add(gram);
      }
    }
    long[] ranks = new long[Math.toIntExact(count)];
    double[] rest = new double[Math.toIntExact(2 * count)];
    try (LongPointer rankOut = new LongPointer(Math.max(count, 1));
        DoublePointer restOut = new DoublePointer(Math.max(2 * count, 1))) {
      NativeMemory[] arrays = used.toArray(NativeMemory[]::new);
      Engine.requireHost(arrays);
      monitoredAnywhere(
          monitor ->
              Kpflow.kpflow_linearization_unit_modes(
                  life.linearization,
                  gramFirst == null ? null : Engine.doubles(gramFirst),
                  gramSecond == null ? null : Engine.doubles(gramSecond),
                  first,
                  count,
                  tolerance,
                  cut,
                  most,
                  rankOut,
                  Engine.doubles(modes),
                  Engine.doubles(values),
                  restOut,
                  monitor),
          arrays);
      rankOut.get(ranks);
      restOut.get(rest);
    }
    return new UnitModes(ranks, rest);
  }

  /** out = A in or A* in for a block of s vectors; the codes are those of enum kpflow_operator. */
  public void apply(
      int operator, int family, boolean adjoint, long s, NativeMemory in, NativeMemory out) {
    long state = Engine.product(sizes[0], sizes[1], sizes[2]);
    long other = domainCount(operator, family, state);
    Engine.holds(in, dtype, Engine.product(s, adjoint ? state : other));
    Engine.holds(out, dtype, Engine.product(s, adjoint ? other : state));
    monitored(
        monitor ->
            Kpflow.kpflow_linearization_apply(
                life.linearization,
                operator,
                family,
                adjoint ? 1 : 0,
                s,
                in.pointer(),
                out.pointer(),
                monitor),
        in,
        out);
  }

  /** Elements of one vector that an operator takes; all give a state. */
  private long domainCount(int operator, int family, long state) {
    return switch (operator) {
      case Kpflow.KPFLOW_D_THETA, Kpflow.KPFLOW_J -> sizes[3];
      case Kpflow.KPFLOW_TRIAL_JACOBIAN -> Engine.product(sizes[0], sizes[3]);
      case Kpflow.KPFLOW_D_GATES, Kpflow.KPFLOW_CORE ->
          Engine.product(sizes[0], sizes[1], known(family)[0]);
      default -> state;
    };
  }

  @Override
  public void close() {
    life.close();
  }

  /** Keeps the native object and the context that it works in. */
  void acquire() {
    life.acquire();
    try {
      context.acquire();
    } catch (RuntimeException closed) {
      life.release();
      throw closed;
    }
  }

  void release() {
    context.release();
    life.release();
  }

  /** The native object; valid between {@link #acquire} and {@link #release}. */
  NativeLinearization pointer() {
    return life.linearization;
  }

  private void monitored(ToIntFunction<kpflow_monitor> body, NativeMemory... used) {
    context.requireOwn(used);
    monitoredAnywhere(body, used);
  }

  private void monitoredAnywhere(ToIntFunction<kpflow_monitor> body, NativeMemory... used) {
    life.acquire();
    try {
      context.monitoredAnywhere((c, monitor) -> body.applyAsInt(monitor), used);
    } finally {
      life.release();
    }
  }

  private static final class Life extends Lifetime {
    private final NativeLinearization linearization;

    Life(NativeLinearization linearization) {
      super("linearization");
      this.linearization = linearization;
    }

    @Override
    void free() {
      Kpflow.kpflow_linearization_destroy(linearization);
    }
  }
}
