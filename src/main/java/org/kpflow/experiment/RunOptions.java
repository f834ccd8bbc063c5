package org.kpflow.experiment;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.Checks;

/**
 * How experiments are run.
 *
 * @param quick the smaller setting
 * @param seed of all random numbers
 * @param versions of the programs, for the record
 */
public record RunOptions(boolean quick, long seed, Map<String, String> versions) {
  /** Copies the map. */
  public RunOptions {
    versions =
        Collections.unmodifiableMap(new LinkedHashMap<>(Checks.notNull(versions, "versions")));
  }

  /** The command line that gives the same result. */
  String command(Experiment experiment) {
    return "kpflow reproduce " + experiment.name() + (quick ? " --quick" : "") + " --seed " + seed;
  }
}
