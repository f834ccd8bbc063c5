package org.kpflow.flow;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The columns of L = P_core (⊕_i U_i S_i ⊗ I_{n_i}), NTK = L L* (docs/theory.md, section 3), where
 * V_i ≈ U_i S_i R_iᵀ keeps the singular values above a threshold. Families of one group are merged
 * first: they share P_core, and Σ V_i V_iᵀ is that of their sites side by side. What is left out is
 * bounded: ||NTK - L L*|| ≤ ||P_core||² max_i σ_{r_i+1}².
 */
public final class KroneckerFactor implements ReducedViews.Columns, AutoCloseable {
  private static final double LEAST_THRESHOLD = 8 * Math.sqrt(DType.F64.epsilon());

  private final List<Part> parts = new ArrayList<>();
  private double truncated;
  private Tensor gates; // scratch, all zero between calls

  /**
   * The columns of one group: scaled sites U S [r, k] as rows, and the propagator they go through.
   */
  private record Part(CorePropagator propagator, Tensor sites, long rank, long gates) {
    long columns() {
      return rank * gates;
    }
  }

  /**
   * The factor of a linearization.
   *
   * @param threshold keeps singular values of the sites above {@code threshold} times the largest
   *     of all; below 1.2e-7, where squares vanish in rounding, it is taken as that
   * @throws IllegalArgumentException if no family is trainable
   */
  public KroneckerFactor(Linearization linearization, double threshold) {
    Checks.that(threshold >= 0 && threshold < 1, "threshold: expected 0 to 1, got %s", threshold);
    Map<String, List<WeightFamily>> groups = new LinkedHashMap<>();
    for (WeightFamily family : Checks.notNull(linearization, "linearization").trainableFamilies()) {
      groups.computeIfAbsent(family.group(), group -> new ArrayList<>()).add(family);
    }
    Checks.that(!groups.isEmpty(), "model: every family is frozen; expected a trainable one");
    double relative = Math.max(threshold, LEAST_THRESHOLD);
    List<SiteBasis> bases = new ArrayList<>();
    try {
      for (List<WeightFamily> group : groups.values()) {
        bases.add(SiteBasis.of(linearization, group));
      }
      double largest =
          bases.stream().mapToDouble(basis -> basis.eigen().values()[0]).max().orElse(0);
      for (SiteBasis basis : bases) {
        addPart(linearization, basis, relative * relative * largest);
      }
    } catch (RuntimeException failure) {
      close();
      throw failure;
    } finally {
      bases.forEach(SiteBasis::close);
    }
  }

  /**
   * The sites of a group side by side, V [k, M] in f64, with the eigenpairs of VᵀV: right singular
   * vectors and squared values.
   */
  private record SiteBasis(WeightFamily family, Tensor sites, DenseEigen eigen)
      implements AutoCloseable {
    static SiteBasis of(Linearization linearization, List<WeightFamily> group) {
      long rows = linearization.rows();
      long columns = group.stream().mapToLong(WeightFamily::sites).sum();
      Tensor all = Tensor.zeros(DType.F64, rows, columns);
      try (Tensor gram = Tensor.zeros(DType.F64, columns, columns)) {
        long first = 0;
        for (WeightFamily family : group) {
          try (Tensor sites = linearization.sites(family.name())) {
            long m = family.sites();
            Tensor target =
                all.reshape(Shape.of(rows * columns)).slice(first, rows * columns - first);
            TensorMath.strided(
                new long[] {rows, m},
                1,
                sites,
                new long[] {m, 1},
                0,
                target,
                new long[] {columns, 1});
            first += m;
          }
        }
        TensorMath.gemm(linearization.context(), true, false, 1, all, all, 0, gram);
        return new SiteBasis(group.get(0), all, DenseEigen.of(gram));
      } catch (RuntimeException failure) {
        all.close();
        throw failure;
      }
    }

    @Override
    public void close() {
      sites.close();
      eigen.close();
    }
  }

  private void addPart(Linearization linearization, SiteBasis basis, double least) {
    double[] values = basis.eigen().values();
    int rank = 0;
    while (rank < values.length && values[rank] > least) {
      rank++;
    }
    truncated = Math.max(truncated, rank < values.length ? Math.max(values[rank], 0) : 0);
    try (Tensor scaled = Tensor.zeros(DType.F64, rank, linearization.rows())) { // (V R)ᵀ = (U S)ᵀ
      TensorMath.gemm(
          linearization.context(),
          false,
          true,
          1,
          basis.eigen().vectors().slice(0, rank),
          basis.sites(),
          0,
          scaled);
      CorePropagator propagator = new CorePropagator(linearization, basis.family().name());
      parts.add(
          new Part(propagator, scaled.to(linearization.dtype()), rank, basis.family().outputs()));
    }
  }

  @Override
  public LinearOperator owner() {
    return parts.get(0).propagator();
  }

  /** R = Σ r_i n_i. */
  @Override
  public long count() {
    return parts.stream().mapToLong(Part::columns).sum();
  }

  /** max_i σ_{r_i+1}², the largest squared singular value left out. */
  public double truncatedSquare() {
    return truncated;
  }

  @Override
  public synchronized void fill(long first, Tensor out) {
    Shape expected = owner().range();
    Checks.that(
        Checks.notNull(out, "out").shape().rank() == expected.rank() + 1
            && out.shape().tail().equals(expected),
        "out: expected a block of %s, got %s",
        expected,
        out.shape());
    long s = out.shape().size(0);
    Checks.that(
        first >= 0 && first <= count() - s,
        "columns: expected a part of %d, got %d from %d",
        count(),
        s,
        first);
    long done = 0;
    long start = 0;
    for (Part part : parts) {
      long from = Math.max(first + done, start);
      long count = Math.min(first + s, start + part.columns()) - from;
      if (count > 0) {
        fill(part, from - start, out.slice(from - first, count));
        done += count;
      }
      start += part.columns();
    }
  }

  /**
   * Column (r, a) is P_core of the pre-activations that are U S[:, r] at gate unit a and zero
   * elsewhere. The block of pre-activations is kept between calls, and only what was set is
   * cleared.
   */
  private void fill(Part part, long first, Tensor out) {
    if (part.sites().isClosed()) {
      throw new IllegalStateException("this factor is closed; expected an open one");
    }
    long s = out.shape().size(0);
    Tensor block = scratch(part, s).slice(0, s);
    try {
      setColumns(part, first, block, 1);
      part.propagator().matmat(block, out);
    } finally {
      setColumns(part, first, block, 0);
    }
  }

  private static void setColumns(Part part, long first, Tensor block, double scale) {
    long rows = part.sites().shape().size(1);
    long count = rows * part.gates();
    for (long i = 0; i < block.shape().size(0); i++) {
      long rank = (first + i) / part.gates();
      long unit = (first + i) % part.gates();
      Tensor target = block.slice(i).reshape(Shape.of(count)).slice(unit, count - unit);
      TensorMath.strided(
          new long[] {rows},
          scale,
          part.sites().slice(rank),
          new long[] {1},
          0,
          target,
          new long[] {part.gates()});
    }
  }

  private Tensor scratch(Part part, long s) {
    Shape shape = part.propagator().domain().block(s);
    if (gates == null
        || gates.count() < shape.count()
        || !gates.shape().tail().equals(shape.tail())) {
      if (gates != null) {
        gates.close();
      }
      gates = Tensor.zeros(part.sites().dtype(), shape);
    }
    return gates;
  }

  @Override
  public synchronized void close() {
    parts.forEach(part -> part.sites().close());
    if (gates != null) {
      gates.close();
    }
  }

  /** The type in which columns come. */
  public DType dtype() {
    return owner().dtype();
  }
}
