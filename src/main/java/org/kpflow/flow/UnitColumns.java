package org.kpflow.flow;

import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.UnitArrays;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/**
 * U: [R] -> [B, T, n], z -> Σ_c z_c u_c ⊗ e_unit(c): a matrix whose columns live on one unit each.
 * Columns that take no part count as zero. Closing the columns ends the operator.
 */
final class UnitColumns extends LinearOperator {
  private final Tensor columns;
  private final long rows;
  private final long layers;
  private final long components;
  private final long[] first;
  private final long[] count;

  /**
   * An operator of columns [R, m k] that are kept in the order of their units.
   *
   * @param first of each unit, the first of its columns that takes part
   * @param count of each unit, how many of them do
   */
  UnitColumns(Linearization linearization, Tensor columns, long[] first, long[] count) {
    this(
        linearization,
        linearization.stateShape(),
        columns,
        uniform(linearization.layers()) ? linearization.layers().size() : 1,
        linearization.components(),
        first,
        count);
  }

  private UnitColumns(
      Linearization linearization,
      Shape range,
      Tensor columns,
      long layers,
      long components,
      long[] first,
      long[] count) {
    super(
        linearization.context(),
        Shape.of(columns.shape().size(0)),
        range,
        linearization.dtype(),
        false);
    this.columns = columns;
    this.rows = linearization.rows();
    this.layers = layers;
    this.components = components;
    this.first = first;
    this.count = count;
  }

  /** z -> Σ_u z_u v_u ⊗ e_u on [k, n_i], for the sites v_u [n_i, k] of an elementwise family. */
  static UnitColumns ofSites(Linearization linearization, Shape range, Tensor sites) {
    Shape expected = Shape.of(range.size(1), range.size(0));
    Checks.shape("sites", expected, Checks.notNull(sites, "sites").shape());
    Checks.dtype("sites", linearization.dtype(), sites.dtype());
    long[] first = LongStream.range(0, range.size(1)).toArray();
    long[] count = new long[first.length];
    Arrays.fill(count, 1);
    return new UnitColumns(linearization, range, sites, 1, 1, first, count);
  }

  /**
   * Layers that differ have one component each, so that their states follow one another as units.
   */
  private static boolean uniform(List<LinearizationHandle.Layer> layers) {
    return layers.stream().allMatch(layer -> layer.units() == layers.get(0).units());
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    add(1, in, 0, out);
  }

  /** out = alpha U z + beta out for blocks. */
  void add(double alpha, Tensor z, double beta, Tensor out) {
    arrays().combine(context().handle(), z.shape().size(0), alpha, z.memory(), beta, out.memory());
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    arrays().coefficients(context().handle(), in.shape().size(0), in.memory(), out.memory());
  }

  private UnitArrays arrays() {
    return new UnitArrays(
        dtype(), rows, layers, components, columns.shape().size(0), first, count, columns.memory());
  }

  @Override
  public String toString() {
    return "U";
  }
}
