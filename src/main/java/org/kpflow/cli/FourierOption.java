package org.kpflow.cli;

import org.kpflow.base.InputException;
import org.kpflow.model.FourierFeatures;
import picocli.CommandLine.Option;

/** The option that gives a network its inputs as Fourier features. */
final class FourierOption {
  @Option(
      names = "--fourier",
      paramLabel = "F",
      description =
          "Give every input channel x as cos 2πjx and sin 2πjx, j = 1 to F (default: as it is).")
  private Integer count;

  boolean given() {
    return count != null;
  }

  /**
   * The harmonics 1 to F, or null where the option is not given.
   *
   * @throws InputException if F is out of range
   */
  FourierFeatures features() {
    return count == null ? null : Named.option("--fourier", () -> FourierFeatures.harmonics(count));
  }

  /** F, or null where the option is not given. */
  Integer count() {
    return count;
  }
}
