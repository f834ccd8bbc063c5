package org.kpflow.flow;

import java.util.List;
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
    super(
        linearization.context(),
        Shape.of(columns.shape().size(0)),
        linearization.stateShape(),
        linearization.dtype(),
        false);
    this.columns = columns;
    this.components = linearization.components();
    this.layers = uniform(linearization.layers()) ? linearization.layers().size() : 1;
    this.first = first;
    this.count = count;
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
    long rows = range().size(0) * range().size(1);
    return new UnitArrays(
        dtype(), rows, layers, components, columns.shape().size(0), first, count, columns.memory());
  }

  @Override
  public String toString() {
    return "U";
  }
}
