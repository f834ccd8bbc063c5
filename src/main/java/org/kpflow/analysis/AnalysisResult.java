package org.kpflow.analysis;

import org.kpflow.io.TensorMap;

/**
 * An analysis: its numbers and its arrays. Closing frees the arrays.
 *
 * @param arrays {@code ntk_temp_modes} [modes, B, T] and {@code core_temp_modes}, the leading
 *     temporal modes; {@code <operator>_<view>_eigenvalues} and, for views of up to 1024 rows,
 *     {@code <operator>_<view>} [d, d]; {@code ntk_eigenvalues}; with targets also {@code err},
 *     {@code adj}, {@code dh} [B, T, n] and {@code target_modes} [modes, B, T]
 */
public record AnalysisResult(AnalysisReport report, TensorMap arrays) implements AutoCloseable {
  @Override
  public void close() {
    arrays.close();
  }
}
