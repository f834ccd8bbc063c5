package org.kpflow.report;

/** One part of a picture of several parts, with axes of its own. */
public sealed interface Panel permits LinesPanel, MatrixPanel, TrendPanel {
  /** What the panel shows. */
  String title();
}
