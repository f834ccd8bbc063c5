package org.kpflow.experiment;

import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.base.MemoryException;
import org.kpflow.report.Figure;

/**
 * What came of one run of an experiment.
 *
 * @param command that gives the same
 * @param settings sizes, ranges and so on
 * @param claims all statements, judged or failed
 * @param pictures by the names of their files
 * @param failure what ended the run early; null if nothing did
 * @param points points of the sweep that are there
 * @param computed how many of them this run computed
 * @param seconds what the run took, with what the points of earlier runs took
 */
public record ExperimentResult(
    Experiment experiment,
    String command,
    Map<String, Object> settings,
    List<Claim> claims,
    Map<String, Figure> pictures,
    RuntimeException failure,
    int points,
    int computed,
    double seconds) {
  /** Checks what must be there. */
  public ExperimentResult {
    Checks.notNull(experiment, "experiment");
    claims = List.copyOf(claims);
  }

  /**
   * Whether nothing was judged because the run could not be made: points of other settings are in
   * the way, a file or the memory is missing.
   */
  public boolean refused() {
    return failure instanceof InputException || failure instanceof MemoryException;
  }

  /** Claims that failed. */
  public long failed() {
    return claims.stream().filter(claim -> !claim.passed()).count();
  }
}
