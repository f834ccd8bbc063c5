package org.kpflow.experiment;

import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;

/**
 * A statement with what was measured. A number that is not there (NaN) fails, and the remark says
 * why.
 *
 * @param measured the number; NaN if it could not be had
 * @param standardError its standard error; 0 where it is exact, NaN where it is not known
 * @param passed whether the relation holds for the number itself, whatever its error
 * @param remark what else there is to say: what holds instead, or why there is no number; may be
 *     empty
 */
public record Claim(
    Statement statement, double measured, double standardError, boolean passed, String remark) {
  private static final double CLOSE = 2; // standard errors

  /** Checks that the texts are there. */
  public Claim {
    Checks.notNull(statement, "statement");
    Checks.notNull(remark, "remark");
  }

  /** A statement judged by a number. */
  static Claim of(Statement statement, Estimate measured, String remark) {
    double value = measured.value();
    if (Double.isNaN(value)) {
      return failed(statement, remark.isEmpty() ? "the number is not defined" : remark);
    }
    boolean near =
        measured.standardError() > 0
            && Math.abs(value - statement.threshold()) < CLOSE * measured.standardError();
    return new Claim(
        statement,
        value,
        measured.standardError(),
        statement.relation().holds(value, statement.threshold()),
        near ? joined(remark, "within two standard errors of the threshold") : remark);
  }

  /** A statement that could not be judged. */
  static Claim failed(Statement statement, String reason) {
    return new Claim(statement, Double.NaN, Double.NaN, false, reason);
  }

  private static String joined(String first, String second) {
    return first.isEmpty() ? second : first + "; " + second;
  }
}
