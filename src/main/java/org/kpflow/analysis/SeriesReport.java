package org.kpflow.analysis;

import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Checkpoints of one training, in order.
 *
 * @param wanted how many there were to analyse
 * @param selection which part of the state was analysed; null before the first analysis
 * @param checkpoints those that were reached
 * @param warnings what limits the results
 * @param partial whether one failed, was not reached, or is partial itself
 */
public record SeriesReport(
    int wanted,
    SelectionReport selection,
    List<CheckpointReport> checkpoints,
    List<String> warnings,
    boolean partial) {

  /** Copies the lists. */
  public SeriesReport {
    checkpoints = List.copyOf(checkpoints);
    warnings = List.copyOf(warnings);
  }

  /**
   * Whether every checkpoint has a step and the steps ascend, so that curves can stand over them.
   */
  public boolean hasSteps() {
    List<Long> steps = checkpoints.stream().map(CheckpointReport::step).toList();
    return steps.stream().allMatch(Objects::nonNull)
        && IntStream.range(1, steps.size()).allMatch(i -> steps.get(i) > steps.get(i - 1));
  }

  /** The steps, or 1, 2, … where there are none. */
  public double[] positions() {
    boolean steps = hasSteps();
    return IntStream.range(0, checkpoints.size())
        .mapToDouble(i -> steps ? checkpoints.get(i).step() : i + 1)
        .toArray();
  }
}
