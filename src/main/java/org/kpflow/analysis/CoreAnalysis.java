package org.kpflow.analysis;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.flow.StateRestriction;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.View;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The core V Vᵀ ⊗ I_n, exactly: its temporal view is the Gram matrix of the sites itself, the
 * others follow from it.
 */
final class CoreAnalysis {
  private final StateRestriction selected;
  private final ViewSpectra spectra;

  CoreAnalysis(StateRestriction selected, ViewSpectra spectra) {
    this.selected = selected;
    this.spectra = spectra;
  }

  /**
   * The report; the mixed views are those of batch and time repeated n times, and left out.
   *
   * @param gram the rows and columns of V Vᵀ that are analysed, [k', k'] in f64
   */
  OperatorReport run(Tensor gram, List<View> views) {
    Shape temporal = Shape.of(selected.range().size(0), selected.range().size(1));
    LinearOperator core =
        MatrixOperator.symmetric(
            selected.context(), temporal, gram.reshape(temporal.concat(temporal)));
    Map<String, ViewReport> reports = new LinkedHashMap<>();
    for (View view : views) {
      switch (view) {
        case TEMP -> reports.put(view.toString(), spectra.exact(gram, "exact", 0, 0));
        case BATCH -> reports.put(view.toString(), average(core, 1));
        case TIME -> reports.put(view.toString(), average(core, 0));
        case SPACE -> reports.put(view.toString(), spatial(gram));
        default -> {}
      }
    }
    double n = selected.range().size(2);
    double[] none = {};
    return new OperatorReport(
        "core",
        none,
        none,
        0,
        Estimate.exact(n * ViewSpectra.trace(gram)),
        Estimate.exact(Math.sqrt(n) * TensorMath.norm(selected.context(), gram)),
        reports);
  }

  private ViewReport average(LinearOperator core, int tracedAxis) {
    try (Tensor matrix = core.partialAverage(tracedAxis).toDense()) {
      return spectra.exact(matrix, "exact", 0, 0);
    }
  }

  /** tr(V Vᵀ)/k on the diagonal. */
  private ViewReport spatial(Tensor gram) {
    long n = selected.range().size(2);
    try (Tensor matrix = selected.context().zeros(DType.F64, n, n)) {
      double diagonal = ViewSpectra.trace(gram) / selected.rows();
      TensorMath.fill(new long[] {n}, diagonal, matrix, new long[] {n + 1});
      return spectra.exact(matrix, "exact", 0, 0);
    }
  }
}
