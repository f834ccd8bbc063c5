package org.kpflow.analysis;

import java.util.List;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/**
 * An analysis: its numbers and its arrays, which lie on the CPU. Closing frees the arrays.
 *
 * @param arrays {@code ntk_temp_modes} [modes, B, T] and {@code core_temp_modes}, the leading
 *     temporal modes; {@code <operator>_<view>_eigenvalues} and, for views of up to 1024 rows,
 *     {@code <operator>_<view>} [d, d]; {@code ntk_eigenvalues}; with targets also {@code err},
 *     {@code adj}, {@code dh} [B, T, n] and {@code target_modes} [modes, B, T], {@code
 *     objective_inner} and {@code objective_cosines} [m, m]; {@code lyapunov} [B, count]; {@code
 *     transition_norms} [sources, lags, trials] with {@code transition_sources} and {@code
 *     transition_lags}
 * @param eigenvectors the leading ones of the NTK [modes, B, T, n], if they were to be kept, else
 *     null
 */
public record AnalysisResult(AnalysisReport report, TensorMap arrays, Tensor eigenvectors)
    implements AutoCloseable {
  /** This result, in whose place it stands, with more warnings in its report. */
  public AnalysisResult warning(List<String> more) {
    return new AnalysisResult(report.warning(more), arrays, eigenvectors);
  }

  @Override
  public void close() {
    arrays.close();
    if (eigenvectors != null) {
      eigenvectors.close();
    }
  }
}
