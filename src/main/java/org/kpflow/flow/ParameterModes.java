package org.kpflow.flow;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.nativelib.Engine;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The leading modes of K, sorted (docs/theory.md, section 3). K = D_Q (⊕ V_i V_iᵀ ⊗ I) D_Q* does
 * not mix units: it is the direct sum of one block K_u per unit, whose eigenpairs are found one by
 * one, so K = Σ_c λ_c (u_c ⊗ e_unit(c)) (u_c ⊗ e_unit(c))* + rest. Sites of low rank and gates that
 * change little over a trial leave few modes per unit: far fewer than sites times gates. What is
 * left out is bounded from above in norm and in trace.
 */
public final class ParameterModes implements AutoCloseable {
  /** Rows k above which the Gram matrices of the sites, [k, k], are not worth their memory. */
  static final long MOST_ROWS = 1 << 14;

  private static final long SLAB_BYTES = 256L << 20;

  private final StateRestriction selected; // null for K itself
  private final Linearization linearization;
  private final Tensor columns; // [R, m k], unit by unit, descending within each
  private final double[] values; // [R], as the columns
  private final int[] order; // columns by descending gain times value
  private final long[] unitStart; // [units + 1]
  private final double[] restNorm; // [R + 1], by the number of leading modes
  private final double[] restTrace; // [R + 1]

  private ParameterModes(
      Linearization linearization, StateRestriction selected, LayerGains gains, List<Unit> units) {
    this.linearization = linearization;
    this.selected = selected;
    this.unitStart = new long[units.size() + 1];
    double[] rests = new double[gains.squares().length];
    double trace = 0;
    for (int u = 0; u < units.size(); u++) {
      unitStart[u + 1] = unitStart[u] + units.get(u).values().length;
      int layer = layerOf(u);
      rests[layer] = Math.max(rests[layer], units.get(u).restNorm());
      trace += gains.squares()[layer] * units.get(u).restTrace();
    }
    int count = Math.toIntExact(unitStart[units.size()]);
    this.values = new double[count];
    double[] weights = new double[count];
    this.columns = linearization.zeros(Shape.of(Math.max(count, 1), blockSize(linearization)));
    for (int u = 0; u < units.size(); u++) {
      double[] own = units.get(u).values();
      System.arraycopy(own, 0, values, (int) unitStart[u], own.length);
      for (int i = 0; i < own.length; i++) {
        weights[(int) unitStart[u] + i] = gains.squares()[layerOf(u)] * own[i];
      }
      if (own.length > 0) {
        columns.slice(unitStart[u], own.length).copyFrom(units.get(u).modes());
        units.get(u).close();
      }
    }
    this.order =
        IntStream.range(0, count)
            .boxed()
            .sorted(Comparator.comparingDouble((Integer c) -> -weights[c]).thenComparing(c -> c))
            .mapToInt(Integer::intValue)
            .toArray();
    this.restNorm =
        gains.restNorms(
            rests,
            Arrays.stream(order).map(column -> layerOf(unitOf(column))).toArray(),
            Arrays.stream(order).mapToDouble(column -> values[column]).toArray());
    this.restTrace = new double[count + 1];
    restTrace[count] = trace;
    for (int i = count - 1; i >= 0; i--) {
      restTrace[i] = restTrace[i + 1] + weights[order[i]];
    }
  }

  /** The Gram matrices of the sites do not fit. */
  static final class TooLarge extends MemoryException {
    private static final long serialVersionUID = 1;

    TooLarge(String message) {
      super(message);
    }
  }

  private record Unit(Tensor modes, double[] values, double restNorm, double restTrace)
      implements AutoCloseable {
    @Override
    public void close() {
      modes.close();
    }
  }

  /** m k, the size of the block of one unit. */
  private static long blockSize(Linearization linearization) {
    return linearization.rows() * linearization.components();
  }

  /**
   * The modes with eigenvalues above {@code cut} times the largest of K.
   *
   * @param cut between 1e-14 and 1
   * @throws IllegalArgumentException if no family is trainable
   * @throws MemoryException if the Gram matrices of the sites [k, k] or the modes do not fit
   */
  public static ParameterModes of(Linearization linearization, double cut) {
    requireTrainable(Checks.notNull(linearization, "linearization"), cut);
    return of(linearization, null, LayerGains.none(linearization), cut);
  }

  /**
   * The modes that make R NTK R*, sorted by what they can add to its norm: an eigenvalue λ of layer
   * l counts as ||R P E_l||² λ, {@code cut} is relative to the largest of these, and what the modes
   * leave out is bounded on the part of the state. Layers that the part does not depend on have no
   * modes.
   */
  public static ParameterModes forTangentKernel(StateRestriction selected, double cut) {
    requireTrainable(Checks.notNull(selected, "selection").linearization(), cut);
    return forTangentKernel(selected, LayerGains.of(selected), cut);
  }

  /** The same for gains that are known. */
  static ParameterModes forTangentKernel(StateRestriction selected, LayerGains gains, double cut) {
    requireTrainable(selected.linearization(), cut);
    return of(selected.linearization(), selected, gains, cut);
  }

  private static void requireTrainable(Linearization linearization, double cut) {
    Checks.that(cut >= 1e-14 && cut < 1, "cut: expected 1e-14 to 1, got %s", cut);
    Checks.that(
        !linearization.trainableFamilies().isEmpty(),
        "model: every family is frozen; expected a trainable one");
    requireMemory(linearization);
  }

  private static ParameterModes of(
      Linearization linearization, StateRestriction selected, LayerGains gains, double cut) {
    double least = cut * gains.largest();
    List<Unit> units = new ArrayList<>();
    try {
      for (int layer = 0; layer < linearization.layers().size(); layer++) {
        find(linearization, layer, least / gains.squares()[layer], units);
      }
      return new ParameterModes(linearization, selected, gains, units);
    } finally {
      units.forEach(Unit::close);
    }
  }

  /**
   * Appends the units of a layer with their modes above a value, without any where it is not a
   * number above 0.
   */
  private static void find(Linearization linearization, int layer, double least, List<Unit> units) {
    LinearizationHandle.Layer range = linearization.layers().get(layer);
    boolean seen = least > 0 && least < Double.POSITIVE_INFINITY;
    try (Tensor input = gram(linearization, layer, WeightFamily.Side.INPUT);
        Tensor hidden = hiddenGram(linearization, layer)) {
      if (seen && (input != null || hidden != null)) {
        new Finder(linearization, range, input, hidden).find(least, units);
      }
      while (units.size() < range.first() + range.units()) { // nothing to find
        units.add(new Unit(Tensor.zeros(DType.F64, 1, 1), new double[0], 0, 0));
      }
    }
  }

  private static void requireMemory(Linearization linearization) {
    long rows = linearization.rows();
    long bytes = 2 * rows * rows * Double.BYTES + SLAB_BYTES;
    requireMemory(
        bytes, "the Gram matrices of the sites are " + rows + " x " + rows + ", " + (bytes >> 20));
  }

  private static void requireMemory(long bytes, String what) {
    long available = Engine.availableMemory(Device.CPU);
    if (available >= 0 && bytes > available / 2) {
      throw new TooLarge(
          "modes of K: " + what + " MiB; use fewer trials or steps, or sampled views");
    }
  }

  /** Σ V Vᵀ of the trainable families on one side of a layer, on the CPU, null if there is none. */
  private static Tensor gram(Linearization linearization, int layer, WeightFamily.Side side) {
    List<WeightFamily> families =
        linearization.trainableFamilies().stream()
            .filter(family -> family.layer() == layer && family.side() == side)
            .toList();
    if (families.isEmpty()) {
      return null;
    }
    Tensor gram = KroneckerCore.gram(StateRestriction.whole(linearization), families);
    if (gram.device() == Device.CPU) {
      return gram;
    }
    try (gram) {
      return gram.to(Device.CPU);
    }
  }

  /** The second side of a layer: elementwise weights have slopes for sites, so 1 1ᵀ stands here. */
  private static Tensor hiddenGram(Linearization linearization, int layer) {
    boolean elementwise =
        linearization.trainableFamilies().stream()
            .anyMatch(
                family ->
                    family.layer() == layer && family.side() == WeightFamily.Side.ELEMENTWISE);
    if (!elementwise) {
      return gram(linearization, layer, WeightFamily.Side.HIDDEN);
    }
    long rows = linearization.rows();
    Tensor gram = Tensor.zeros(DType.F64, rows, rows);
    TensorMath.fill(new long[] {rows, rows}, 1, gram, new long[] {rows, 1});
    return gram;
  }

  /** Finds the modes of a layer's units, a slab of units at a time. */
  private record Finder(
      Linearization linearization,
      LinearizationHandle.Layer layer,
      Tensor gramInput,
      Tensor gramHidden) {
    void find(double cut, List<Unit> units) {
      long size = blockSize(linearization);
      long most = Math.min(size, 64);
      long end = layer.first() + layer.units();
      for (long first = layer.first(); first < end; ) {
        long count = Math.min(end - first, Math.max(1, SLAB_BYTES / (most * size * Double.BYTES)));
        long largestRank = slab(first, count, most, cut, units);
        long found = units.stream().mapToLong(unit -> unit.values().length).sum();
        long bytes = found * size * linearization.dtype().bytes(); // once more when put together
        requireMemory(bytes, "there are more than " + found + ", " + (bytes >> 20));
        if (largestRank <= most) {
          first += count;
        } else {
          most = Math.min(size, Math.max(largestRank, most + most / 2));
        }
      }
    }

    /** Appends the units of a slab, or nothing if one has more modes than there is room for. */
    private long slab(long first, long count, long most, double cut, List<Unit> units) {
      long size = blockSize(linearization);
      try (Tensor modes = Tensor.zeros(DType.F64, count, most, size);
          Tensor values = Tensor.zeros(DType.F64, count, most)) {
        LinearizationHandle.UnitModes found =
            linearization
                .handle()
                .unitModes(
                    gramInput == null ? null : gramInput.memory(),
                    gramHidden == null ? null : gramHidden.memory(),
                    first,
                    count,
                    cut / 2,
                    cut,
                    most,
                    modes.memory(),
                    values.memory());
        long largestRank = Arrays.stream(found.ranks()).max().orElse(0);
        if (largestRank > most) {
          return largestRank;
        }
        for (int u = 0; u < count; u++) {
          int rank = (int) found.ranks()[u];
          units.add(
              new Unit(
                  modes.slice(u).slice(0, rank).to(linearization.dtype()),
                  Arrays.copyOf(values.slice(u).toDoubles(), rank),
                  found.rest()[2 * u],
                  found.rest()[2 * u + 1]));
        }
        return largestRank;
      }
    }
  }

  /** The part of the state that they are sorted for, or null. */
  StateRestriction selected() {
    return selected;
  }

  /** What the modes belong to. */
  public Linearization linearization() {
    return linearization;
  }

  /** R, the number of modes found. */
  public long count() {
    return values.length;
  }

  /** The eigenvalue of K of the i-th mode. */
  public double value(long i) {
    return values[order[Math.toIntExact(Checks.range("mode", i, 0, values.length - 1))]];
  }

  /** A bound on the norm of what K, or R NTK R*, has beyond its leading modes. */
  public double restNorm(long leading) {
    return restNorm[Math.toIntExact(leading)];
  }

  /** A bound on the trace of what K, or R NTK R*, has beyond its leading modes. */
  public double restTrace(long leading) {
    return restTrace[Math.toIntExact(leading)];
  }

  /**
   * Writes √λ_c u_c ⊗ e_unit(c) for s leading modes from the given one on into a block [s, B, T, n]
   * of zeros, or clears them again.
   */
  void set(long first, Tensor block, boolean clear) {
    long rows = linearization.rows();
    long n = linearization.units();
    for (long i = 0; i < block.shape().size(0); i++) {
      int column = order[Math.toIntExact(first + i)];
      int unit = unitOf(column);
      LinearizationHandle.Layer layer = linearization.layers().get(layerOf(unit));
      long begin = layer.begin() + unit - layer.first(); // of component 0 in a row of the state
      Tensor target = block.slice(i).reshape(Shape.of(rows * n));
      TensorMath.strided(
          new long[] {linearization.components(), rows},
          clear ? 0 : Math.sqrt(values[column]),
          columns.slice(column),
          new long[] {rows, 1},
          0,
          target.slice(begin, rows * n - begin),
          new long[] {layer.units(), n});
    }
  }

  private int layerOf(int unit) {
    int layer = 0;
    while (unit
        >= linearization.layers().get(layer).first() + linearization.layers().get(layer).units()) {
      layer++;
    }
    return layer;
  }

  private int unitOf(int column) {
    int at = Arrays.binarySearch(unitStart, column);
    if (at < 0) {
      return -at - 2;
    }
    while (unitStart[at + 1] == column) { // units without modes start where the next one does
      at++;
    }
    return at;
  }

  /**
   * U: [R] -> [B, T, n] with orthonormal columns, of which the given number of leading ones takes
   * part; coordinates are those of {@link #position}.
   */
  UnitColumns leading(long leading) {
    Checks.that(
        leading >= 0 && leading <= values.length,
        "modes: expected 0 to %d, got %d",
        values.length,
        leading);
    long[] counts = new long[unitStart.length - 1];
    for (int i = 0; i < leading; i++) {
      counts[unitOf(order[i])]++;
    }
    return new UnitColumns(
        linearization, columns, Arrays.copyOf(unitStart, unitStart.length - 1), counts);
  }

  /** Coordinate of the i-th largest mode in the domain of {@link #leading}. */
  int position(int i) {
    return order[i];
  }

  @Override
  public void close() {
    columns.close();
  }
}
