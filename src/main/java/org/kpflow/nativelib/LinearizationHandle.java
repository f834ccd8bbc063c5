package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.IntPointer;
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

  /**
   * A recurrent model and what it reads; arrays of one dtype, initial and trajectory null when
   * absent.
   *
   * @param cell null for one computed by the caller, whose gates g and components m count then
   */
  public record Recurrent(
      String cell,
      double cellParameter,
      int gates,
      int components,
      DType dtype,
      long trials,
      long steps,
      long inputs,
      long units,
      List<RecurrentLayer> layers,
      NativeMemory input,
      NativeMemory initial,
      NativeMemory trajectory) {

    private NativeMemory[] used() {
      List<NativeMemory> used = new ArrayList<>(List.of(input));
      addPresent(used, initial, trajectory);
      for (RecurrentLayer layer : layers) {
        used.addAll(List.of(layer.weightIh, layer.weightHh));
        addPresent(used, layer.biasIh, layer.biasHh);
        if (layer.trajectory != null) {
          CellTrajectory own = layer.trajectory;
          used.addAll(List.of(own.sites, own.states, own.derivatives));
        }
      }
      return used.toArray(NativeMemory[]::new);
    }

    private static void addPresent(List<NativeMemory> used, NativeMemory... optional) {
      for (NativeMemory memory : optional) {
        if (memory != null) {
          used.add(memory);
        }
      }
    }

    private void checkSizes() {
      int[] shape = cell == null ? new int[] {gates, components} : cellShape(cell);
      long own = Engine.product(shape[1], units); // state of a layer
      long state = Engine.product(layers.size(), own);
      long rows = Engine.product(trials, steps);
      holds(input, Engine.product(rows, inputs));
      holds(initial, Engine.product(trials, state));
      holds(trajectory, Engine.product(rows, state));
      for (int l = 0; l < layers.size(); l++) {
        RecurrentLayer layer = layers.get(l);
        long gateUnits = Engine.product(shape[0], units);
        holds(layer.weightIh, Engine.product(gateUnits, l == 0 ? inputs : units));
        holds(layer.weightHh, Engine.product(gateUnits, units));
        holds(layer.biasIh, gateUnits);
        holds(layer.biasHh, gateUnits);
        Engine.require((cell == null) == (layer.trajectory != null), "cell: computed or named");
        if (cell == null) {
          holds(layer.trajectory.sites, Engine.product(rows, units));
          holds(layer.trajectory.states, Engine.product(rows, own));
          long slots = CellTrajectory.slots(gates, components);
          holds(layer.trajectory.derivatives, Engine.product(rows, slots, units));
        }
      }
    }

    private void holds(NativeMemory memory, long count) {
      if (memory != null) {
        Engine.holds(memory, dtype, count);
      }
    }
  }

  /**
   * One layer's weights; biases null when absent.
   *
   * @param trainable bit f set: the weights of kind f (kpflow.h) are part of theta
   * @param trajectory what the caller has computed, or null
   */
  public record RecurrentLayer(
      int trainable,
      NativeMemory weightIh,
      NativeMemory weightHh,
      NativeMemory biasIh,
      NativeMemory biasHh,
      CellTrajectory trajectory) {}

  /**
   * A layer whose cell the caller computed: sites [k, H], states [k, m H] and derivatives [k,
   * slots, H] in the order of kpflow.h.
   */
  public record CellTrajectory(NativeMemory sites, NativeMemory states, NativeMemory derivatives) {
    /** 2 g m + m² + m, the derivatives of a unit. */
    public static long slots(int gates, int components) {
      long g = gates;
      long m = components;
      return 2 * g * m + m * m + m;
    }
  }

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

  /** Gate blocks and state components per unit of a cell: {g, m}. */
  public static int[] cellShape(String cell) {
    int[] shape = new int[2];
    try (BytePointer name = new BytePointer(cell);
        IntPointer gates = new IntPointer(1);
        IntPointer components = new IntPointer(1)) {
      Engine.check(Kpflow.kpflow_cell_shape(name, gates, components));
      shape[0] = gates.get();
      shape[1] = components.get();
    }
    return shape;
  }

  /** Runs the forward pass of a recurrent model and linearizes along it. */
  public static LinearizationHandle recurrent(ContextHandle context, Recurrent model) {
    model.checkSizes();
    try (kpflow_recurrent description = new kpflow_recurrent();
        kpflow_layer layers = new kpflow_layer(model.layers().size());
        BytePointer cell = model.cell() == null ? null : new BytePointer(model.cell());
        PointerPointer<NativeLinearization> out = new PointerPointer<>(1)) {
      context.monitored(
          (c, monitor) -> {
            for (int l = 0; l < model.layers().size(); l++) {
              describe(layers.position(l), model.layers().get(l));
            }
            description
                .cell(cell)
                .cell_parameter(model.cellParameter())
                .dtype(model.dtype().nativeCode())
                .gates(model.gates())
                .components(model.components())
                .trials(model.trials())
                .steps(model.steps())
                .inputs(model.inputs())
                .units(model.units())
                .layer_count(model.layers().size())
                .layers(layers.position(0))
                .input(model.input().pointer())
                .initial(Engine.pointerOrNull(model.initial()))
                .trajectory(Engine.pointerOrNull(model.trajectory()));
            return Kpflow.kpflow_recurrent_linearize(c, description, monitor, out);
          },
          model.used());
      return new LinearizationHandle(context, model.dtype(), out.get(NativeLinearization.class));
    }
  }

  /** Runs the forward pass of a feed-forward model and linearizes along it. */
  public static LinearizationHandle graph(ContextHandle context, GraphDescription model) {
    try (PointerPointer<NativeLinearization> out = new PointerPointer<>(1)) {
      model.linearize(context, out);
      return new LinearizationHandle(context, model.dtype(), out.get(NativeLinearization.class));
    }
  }

  private static void describe(kpflow_layer target, RecurrentLayer layer) {
    CellTrajectory own = layer.trajectory();
    target
        .trainable(layer.trainable())
        .weight_ih(layer.weightIh().pointer())
        .weight_hh(layer.weightHh().pointer())
        .bias_ih(Engine.pointerOrNull(layer.biasIh()))
        .bias_hh(Engine.pointerOrNull(layer.biasHh()))
        .sites(own == null ? null : own.sites().pointer())
        .states(own == null ? null : own.states().pointer())
        .derivatives(own == null ? null : own.derivatives().pointer());
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
    use(() -> Kpflow.kpflow_linearization_state(life.linearization, out.pointer()), out);
  }

  /** Copies the sites of a family into out [k, m_f]. */
  public void sites(int family, NativeMemory out) {
    Engine.holds(out, dtype, Engine.product(sizes[0], sizes[1], known(family)[1]));
    use(() -> Kpflow.kpflow_linearization_sites(life.linearization, family, out.pointer()), out);
  }

  private long[] known(int family) {
    Engine.require(
        family >= 0 && family < families.length, "family: expected one that this model has");
    return families[family];
  }

  /** Step Jacobians of steps first to first + count - 1 into out [B, count, n, n]. */
  public void stepJacobians(long first, long count, NativeMemory out) {
    Engine.holds(out, dtype, Engine.product(sizes[0], count, sizes[2], sizes[2]));
    use(
        () ->
            Kpflow.kpflow_linearization_step_jacobians(
                life.linearization, first, count, out.pointer()),
        out);
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
   * layer.
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
      monitored(
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
          used.toArray(new NativeMemory[0]));
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

  private void use(java.util.function.IntSupplier body, NativeMemory... used) {
    life.acquire();
    try {
      Engine.call(body, used);
    } finally {
      life.release();
    }
  }

  private void monitored(
      java.util.function.ToIntFunction<kpflow_monitor> body, NativeMemory... used) {
    life.acquire();
    try {
      context.monitored((c, monitor) -> body.applyAsInt(monitor), used);
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
