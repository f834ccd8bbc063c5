package org.kpflow.analysis;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.kpflow.base.Checks;

/**
 * How a task is cut into objectives.
 *
 * @param kind by what
 * @param labels of the trials [B], for groups; else null
 */
public record Objectives(Kind kind, long[] labels) {
  /** By output channel, by trial, or by groups of trials of one label. */
  public enum Kind {
    OUTPUTS,
    TRIALS,
    GROUPS;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public Objectives {
    Checks.notNull(kind, "kind");
    Checks.that(
        (labels != null) == (kind == Kind.GROUPS), "labels: expected them for groups alone");
  }

  /** One objective per output channel. */
  public static Objectives outputs() {
    return new Objectives(Kind.OUTPUTS, null);
  }

  /** One objective per trial. */
  public static Objectives trials() {
    return new Objectives(Kind.TRIALS, null);
  }

  /** One objective per label, in ascending order of the labels. */
  public static Objectives groups(long... labels) {
    return new Objectives(Kind.GROUPS, Checks.notNull(labels, "labels").clone());
  }

  /** The labels that occur, ascending. */
  List<Long> distinctLabels() {
    return Arrays.stream(labels).distinct().sorted().boxed().toList();
  }
}
