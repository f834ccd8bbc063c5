package org.kpflow.model;

import java.util.Set;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;

/**
 * How weights become a model.
 *
 * @param dtype the type to compute in; weights are converted
 * @param frozen families left out of theta, by PyTorch's name without prefix
 * @param prefix what stands before the names in the file, such as {@code rnn.}; null to find it
 */
public record ModelOptions(DType dtype, Set<String> frozen, String prefix) {
  public ModelOptions {
    Checks.notNull(dtype, "dtype");
    frozen = Set.copyOf(Checks.notNull(frozen, "frozen"));
  }

  /** All weights trainable, the prefix found by itself. */
  public static ModelOptions of(DType dtype) {
    return new ModelOptions(dtype, Set.of(), null);
  }

  /** These options with the given families frozen. */
  public ModelOptions freeze(String... families) {
    return new ModelOptions(dtype, Set.of(families), prefix);
  }
}
