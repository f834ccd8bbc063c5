package org.kpflow.cli;

/** Exit codes of the command line. */
final class Exit {
  static final int OK = 0;
  static final int CHECK_FAILED = 1;
  static final int INPUT = 2;
  static final int NUMERICAL = 3;
  static final int INTERNAL = 4;

  private Exit() {}
}
