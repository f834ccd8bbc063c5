package org.kpflow.linearize;

import java.nio.DoubleBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NumericalException;
import org.kpflow.model.CellBatch;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.nativelib.Engine;
import org.kpflow.nativelib.NativeMemory;
import org.kpflow.nativelib.RecurrentDescription.CellTrajectory;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * The forward pass of a model whose cell is written in Java. Per step: v = ψ(h_{t-1}) in Java, q =
 * W_hh v + b_hh and p = W_ih x + b_ih natively for a panel of trials, φ in Java. All of it is in
 * f64, on the CPU; sites, states and derivatives are rounded once, where the model is in f32.
 */
final class CellForward implements AutoCloseable {
  private static final String DIVERGES = "the cell diverges there";
  private static final String STEEP = "the cell has an infinite slope there";

  private static final long PANEL = 1 << 20; // doubles in the batches of a panel of trials

  private final ExecutionContext context;
  private final CellModel model;
  private final Tensor x; // [B, T, n_in]
  private final Tensor initial; // [B, n] or null
  private final Tensor trajectory; // [B, T, n] or null
  private final List<Tensor> owned = new ArrayList<>();
  private final List<Layer> layers = new ArrayList<>();

  /** Takes the arguments of {@link RecurrentForward#linearize}. */
  CellForward(
      ExecutionContext context, CellModel model, Tensor x, Tensor initial, Tensor trajectory) {
    this.context = context.host();
    this.model = model;
    this.x = x;
    this.initial = initial;
    this.trajectory = trajectory;
  }

  /**
   * Runs the model.
   *
   * @throws MemoryException if what it stores and the engine's copy of it do not fit
   * @throws NumericalException where the cell gives what is not finite
   * @throws CancelledException if the thread is interrupted
   */
  void run() {
    requireMemory();
    for (int l = 0; l < model.layers(); l++) {
      layers.add(new Layer(l));
    }
    long perTrial =
        model.layers() * CellBatch.slots(model.gates(), model.components()) * model.units();
    long most = Math.max(1, PANEL / perTrial);
    for (long first = 0; first < trials(); first += most) {
      panel(first, (int) Math.min(most, trials() - first));
    }
  }

  /** The engine copies what this has computed, with all slots at most, while this still has it. */
  private void requireMemory() {
    long slots = CellTrajectory.slots(model.gates(), model.components());
    double rows = (double) trials() * steps();
    double perRow = (double) model.layers() * (slots + model.components() + 1) * model.units();
    double bytes = rows * (2 * perRow + model.inputs()) * model.dtype().bytes();
    long available = Engine.availableMemory(Device.CPU);
    if (available >= 0 && bytes > available) {
      throw new MemoryException(
          String.format(
              Locale.ROOT,
              "forward pass: L = %d, H = %d, B = %d, T = %d take %.3g GiB with the engine's copy,"
                  + " %.3g are available; use fewer trials or steps, or f32",
              model.layers(),
              model.units(),
              trials(),
              steps(),
              bytes / (1L << 30),
              available / (double) (1L << 30)));
    }
  }

  /** What was computed of every layer; it holds until this is closed. */
  List<CellTrajectory> trajectories() {
    return layers.stream().map(Layer::result).toList();
  }

  private long trials() {
    return x.shape().size(0);
  }

  private long steps() {
    return x.shape().size(1);
  }

  /** Runs some trials through all steps. */
  private void panel(long first, int count) {
    List<Batch> batches = new ArrayList<>();
    try (Tensor read = Tensor.zeros(DType.F64, count, Math.max(model.inputs(), model.units()))) {
      for (Layer layer : layers) {
        batches.add(new Batch(layer, first, count));
      }
      for (long t = 0; t < steps(); t++) {
        if (Thread.currentThread().isInterrupted()) {
          throw new CancelledException("cancelled: the thread was interrupted in the forward pass");
        }
        for (int l = 0; l < batches.size(); l++) {
          batches.get(l).step(t, l == 0 ? null : batches.get(l - 1), read.memory());
        }
      }
    } finally {
      batches.forEach(Batch::close);
    }
  }

  /** One layer: its weights in f64, null where it has none, and what is computed of it. */
  private final class Layer {
    final int index;
    final Tensor weightIh;
    final Tensor weightHh;
    final Tensor biasIh;
    final Tensor biasHh;
    final Tensor sites; // [k, H]
    final Tensor states; // [k, m H]
    final Tensor derivatives; // [k, slots H]

    Layer(int index) {
      this.index = index;
      weightIh = wide("weight_ih_l" + index);
      weightHh = wide("weight_hh_l" + index);
      biasIh = wide("bias_ih_l" + index);
      biasHh = wide("bias_hh_l" + index);
      long slots = CellTrajectory.slots(model.gates(), model.components());
      sites = perRow(model.units());
      states = perRow(model.components() * model.units());
      derivatives = perRow(slots * model.units());
    }

    private Tensor wide(String name) {
      return model.hasWeight(name) ? own(model.weight(name).to(Device.CPU, DType.F64)) : null;
    }

    private Tensor perRow(long width) {
      return own(Tensor.zeros(model.dtype(), trials() * steps(), width));
    }

    private Tensor own(Tensor tensor) {
      owned.add(tensor);
      return tensor;
    }

    CellTrajectory result() {
      return new CellTrajectory(sites.memory(), states.memory(), derivatives.memory());
    }
  }

  /** A layer's step for some trials, with the buffers of its batch as native memory. */
  private final class Batch implements AutoCloseable {
    private final Layer layer;
    private final long first;
    private final int count;
    private final CellBatch batch;
    private final List<NativeMemory> wrapped = new ArrayList<>();
    private final NativeMemory site;
    private final NativeMemory next;
    private final NativeMemory q;
    private final NativeMemory p;
    private final NativeMemory previous;
    private final List<NativeMemory> derivatives; // A, C, D and S

    Batch(Layer layer, long first, int count) {
      this.layer = layer;
      this.first = first;
      this.count = count;
      int units = Math.toIntExact(model.units());
      batch = new CellBatch(model.gates(), model.components(), units, count);
      batch.begin(first, count, 0);
      site = wrap(batch.site());
      next = wrap(batch.next());
      q = wrap(batch.q());
      p = wrap(batch.p());
      previous = wrap(batch.previous());
      derivatives =
          List.of(
              wrap(batch.nextByHidden()),
              wrap(batch.nextByInput()),
              wrap(batch.nextByState()),
              wrap(batch.siteByState()));
      if (initial != null) {
        long n = model.stateUnits();
        load(initial, first * n + layer.index * state(), n, previous, state());
      }
    }

    private NativeMemory wrap(DoubleBuffer buffer) {
      NativeMemory memory = NativeMemory.of(buffer);
      wrapped.add(memory);
      return memory;
    }

    /** m H. */
    private long state() {
      return model.components() * model.units();
    }

    /** Reads x, or h of the layer below, into {@code read}, and steps. */
    void step(long t, Batch below, NativeMemory read) {
      CellFunction cell = model.function();
      long units = model.units();
      batch.begin(first, count, t);
      cell.siteBatch(batch);
      requireFinite("what it reads of the state", batch.site(), DIVERGES);
      requireFinite("a derivative of the cell", batch.siteByState(), STEEP);
      gates(layer.weightHh, layer.biasHh, site, q);
      if (below == null) {
        long d = model.inputs();
        load(x, (first * steps() + t) * d, steps() * d, read, d);
      } else {
        copy(units, DType.F64, below.next, state(), DType.F64, read, units);
      }
      gates(layer.weightIh, layer.biasIh, read, p);
      cell.stepBatch(batch);
      if (trajectory != null) {
        long n = model.stateUnits();
        long from = (first * steps() + t) * n + layer.index * state();
        load(trajectory, from, steps() * n, next, state());
      }
      requireFinite("the state", batch.next(), DIVERGES);
      requireFinite("a derivative of the cell", batch.nextByHidden(), STEEP);
      requireFinite("a derivative of the cell", batch.nextByInput(), STEEP);
      requireFinite("a derivative of the cell", batch.nextByState(), STEEP);
      store(t);
      copy(state(), DType.F64, next, state(), DType.F64, previous, state());
    }

    /** out [count, g H] = in Wᵀ + b. */
    private void gates(Tensor weight, Tensor bias, NativeMemory in, NativeMemory out) {
      long rows = weight.shape().size(0);
      long width = weight.shape().size(1);
      if (bias != null) {
        copy(rows, DType.F64, bias.memory(), 0, DType.F64, out, rows);
      }
      Engine.gemm(
          context.handle(),
          DType.F64,
          false,
          true,
          count,
          rows,
          width,
          1,
          in,
          weight.memory(),
          bias == null ? 0 : 1,
          out);
    }

    /** Rounds what this step has computed into the layer's arrays. */
    private void store(long t) {
      store(t, layer.sites, 0, site, model.units());
      store(t, layer.states, 0, next, state());
      long g = model.gates();
      long m = model.components();
      long[] slots = {g * m, g * m, m * m, m};
      long before = 0;
      for (int i = 0; i < slots.length; i++) {
        long width = slots[i] * model.units();
        store(t, layer.derivatives, before, derivatives.get(i), width);
        before += width;
      }
    }

    /** Rows [count, width] into an array's rows (b, t), from a column on. */
    private void store(long t, Tensor array, long column, NativeMemory rows, long width) {
      long length = array.shape().size(1);
      long start = (first * steps() + t) * length + column;
      NativeMemory target = from(array, start);
      copy(width, DType.F64, rows, width, array.dtype(), target, steps() * length);
    }

    /** Rows of an array, which begin at {@code start} and are {@code stride} apart. */
    private void load(Tensor array, long start, long stride, NativeMemory rows, long width) {
      copy(width, array.dtype(), from(array, start), stride, DType.F64, rows, width);
    }

    private void copy(
        long width,
        DType fromType,
        NativeMemory from,
        long fromStride,
        DType toType,
        NativeMemory to,
        long toStride) {
      Engine.stridedAxpby(
          context.handle(),
          new long[] {count, width},
          1,
          fromType,
          from,
          new long[] {fromStride, 1},
          0,
          toType,
          to,
          new long[] {toStride, 1});
    }

    private void requireFinite(String what, DoubleBuffer values, String infinite) {
      double largest = model.dtype() == DType.F32 ? Float.MAX_VALUE : Double.MAX_VALUE;
      for (int i = 0; i < values.limit(); i++) {
        if (!(Math.abs(values.get(i)) <= largest)) {
          int perTrial = values.limit() / count;
          throw new NumericalException(
              String.format(
                  Locale.ROOT,
                  "forward pass: %s is not finite at trial %d, step %d, unit %d%s; %s",
                  what,
                  first + i / perTrial,
                  batch.step(),
                  i % batch.units(),
                  model.layers() == 1 ? "" : " of layer " + layer.index,
                  Double.isFinite(values.get(i))
                      ? "it overflows in f32, try f64"
                      : Double.isInfinite(values.get(i))
                          ? infinite
                          : "the cell diverges there, or left it out"));
        }
      }
    }

    @Override
    public void close() {
      wrapped.forEach(NativeMemory::close);
    }
  }

  private static NativeMemory from(Tensor array, long element) {
    long start = element * array.dtype().bytes();
    return array.memory().span(start, array.memory().bytes() - start);
  }

  @Override
  public void close() {
    owned.forEach(Tensor::close);
  }
}
