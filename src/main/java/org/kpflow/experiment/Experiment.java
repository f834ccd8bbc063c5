package org.kpflow.experiment;

import java.util.List;

/**
 * A figure of the paper as a computation: its sweep, its pictures, and what it is held against. An
 * experiment has no state; the same settings and seed give the same numbers.
 */
public interface Experiment {
  /** What it is called on the command line and in files, such as "fig3". */
  String name();

  /** What it shows, in a few words. */
  String title();

  /** What the paper finds, in a sentence or two. */
  String finding();

  /** Where sizes, networks or measures differ from the paper's, or the paper says none. */
  default List<String> deviations() {
    return List.of();
  }

  /**
   * Raised whenever the points of an earlier version must not be used any more, though settings and
   * seed are the same.
   */
  int version();

  /** All that {@link #run} claims, in the order of the table; written down before any result. */
  List<Statement> statements();

  /**
   * Computes points, arrays, pictures and claims.
   *
   * @throws org.kpflow.base.KpflowException if it cannot; what was claimed until then stays
   */
  void run(ExperimentRun run);
}
