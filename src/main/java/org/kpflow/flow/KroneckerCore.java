package org.kpflow.flow;

import java.util.List;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The Kronecker core of the NTK (docs/theory.md, section 3). Exact, for every model: NTK = Σ_i
 * P_core,i (V_i V_iᵀ ⊗ I_{n_i}) P_core,i*, a sum over weight families. The merged V Vᵀ ⊗ I_n on the
 * state is the proxy whose alignment with the NTK is reported.
 */
public final class KroneckerCore {
  private KroneckerCore() {}

  /**
   * G = Σ V_i V_iᵀ over the trainable families, [k, k] in f64, as a new tensor. Elementwise
   * families, whose part of the core is ⊕_u v_u v_uᵀ over the columns of V_i, count with (1/n_i)
   * V_i V_iᵀ: G ⊗ I is then as near to it as any G ⊗ I can be, in the Frobenius norm.
   */
  public static Tensor gram(Linearization linearization) {
    return gram(StateRestriction.whole(linearization));
  }

  /**
   * The rows and columns of G that belong to the steps of a selection, [k', k'], summed over the
   * trainable families that reach a block of it.
   */
  public static Tensor gram(StateRestriction selected) {
    List<String> kept = selected.blocks().stream().map(StateBlock::name).toList();
    return gram(
        selected,
        selected.linearization().trainableFamilies().stream()
            .filter(family -> kept.stream().anyMatch(family.reaches()::contains))
            .toList());
  }

  /** Σ V_i V_iᵀ over the given families, [k', k'] in f64, as a new tensor on the device. */
  static Tensor gram(StateRestriction selected, List<WeightFamily> families) {
    Linearization linearization = selected.linearization();
    long rows = selected.rows();
    Tensor gram = linearization.context().zeros(DType.F64, rows, rows);
    try {
      for (WeightFamily family : families) {
        try (Tensor sites = linearization.sites(family.name());
            Tensor kept = selected.keptRows(sites);
            Tensor wide = kept.to(DType.F64)) {
          TensorMath.gemm(linearization.context(), false, true, share(family), wide, wide, 1, gram);
        }
      }
      return gram;
    } catch (RuntimeException failure) {
      gram.close();
      throw failure;
    }
  }

  private static double share(WeightFamily family) {
    return family.side() == WeightFamily.Side.ELEMENTWISE ? 1.0 / family.outputs() : 1;
  }

  /**
   * The proxy G ⊗ I_n on [B, T, n] for a Gram matrix of the sites, [k, k] of the linearization's
   * type. The operator reads the tensor, which has to stay open.
   */
  public static LinearOperator proxy(Linearization linearization, Tensor gram) {
    return proxy(StateRestriction.whole(linearization), gram);
  }

  /** The proxy G ⊗ I_n' on the part [B, T', n'] of a selection, G [k', k']. */
  public static LinearOperator proxy(StateRestriction selected, Tensor gram) {
    Shape temporal = Shape.of(selected.range().size(0), selected.range().size(1));
    Checks.notNull(gram, "gram");
    Checks.shape("gram", Shape.of(selected.rows(), selected.rows()), gram.shape());
    Tensor matrix = gram.reshape(temporal.concat(temporal));
    return MatrixOperator.symmetric(selected.context(), temporal, matrix)
        .tensorProductLike(selected.tangentKernel());
  }

  /**
   * What {@link #familyKernel} reads, in the linearization's type, as a new tensor: V_i V_iᵀ [k,
   * k], or V_iᵀ [n_i, k] for an elementwise family.
   */
  public static Tensor familyGram(Linearization linearization, String family) {
    Checks.notNull(linearization, "linearization");
    boolean elementwise = isElementwise(linearization, family);
    long rows = linearization.rows();
    try (Tensor sites = linearization.sites(family)) {
      long columns = sites.shape().size(1);
      Tensor result = linearization.zeros(Shape.of(elementwise ? columns : rows, rows));
      if (elementwise) {
        TensorMath.strided(
            new long[] {rows, columns},
            1,
            sites,
            new long[] {columns, 1},
            0,
            result,
            new long[] {1, rows});
      } else {
        TensorMath.gemm(linearization.context(), false, true, 1, sites, sites, 0, result);
      }
      return result;
    }
  }

  /**
   * The exact core form of one family's part of the NTK, P_core,i (V_i V_iᵀ ⊗ I_{n_i}) P_core,i*,
   * or P_core,i (⊕_u v_u v_uᵀ) P_core,i* for an elementwise family. The operator reads the tensor
   * of {@link #familyGram}, which has to stay open.
   */
  public static LinearOperator familyKernel(
      Linearization linearization, String family, Tensor gram) {
    CorePropagator propagator = new CorePropagator(linearization, family);
    LinearOperator core =
        isElementwise(linearization, family)
            ? UnitColumns.ofSites(linearization, propagator.domain(), gram).outerGram()
            : MatrixOperator.symmetric(
                    linearization.context(), Shape.of(linearization.rows()), gram)
                .tensorProductLike(propagator.adjoint().compose(propagator));
    return propagator.compose(core).compose(propagator.adjoint());
  }

  private static boolean isElementwise(Linearization linearization, String family) {
    return linearization.family(family).side() == WeightFamily.Side.ELEMENTWISE;
  }
}
