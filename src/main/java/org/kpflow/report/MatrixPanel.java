package org.kpflow.report;

import java.util.List;
import org.kpflow.base.Checks;

/**
 * A matrix as coloured cells, the first row on top. NaN is grey.
 *
 * @param title what the panel shows
 * @param xTitle what a column is
 * @param yTitle what a row is
 * @param columns a label per column; empty to number them
 * @param rows a label per row; empty to number them
 * @param values rows of the same length
 * @param scale how a number becomes a colour
 */
public record MatrixPanel(
    String title,
    String xTitle,
    String yTitle,
    List<String> columns,
    List<String> rows,
    double[][] values,
    Scale scale)
    implements Panel {

  /** How numbers become colours. */
  public enum Scale {
    /** From the least number to the largest. */
    SEQUENTIAL,
    /** White at zero, two colours for the signs, the same range on both sides. */
    DIVERGING
  }

  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if a part is null, the matrix is empty, or lengths differ
   */
  public MatrixPanel {
    Checks.notNull(title, "title");
    Checks.notNull(xTitle, "xTitle");
    Checks.notNull(yTitle, "yTitle");
    Checks.notNull(scale, "scale");
    columns = List.copyOf(Checks.notNull(columns, "columns"));
    rows = List.copyOf(Checks.notNull(rows, "rows"));
    Checks.that(
        values != null && values.length > 0 && values[0].length > 0,
        "values: expected at least one number");
    for (double[] row : values) {
      Checks.that(
          row.length == values[0].length,
          "values: expected rows of %d, got one of %d",
          values[0].length,
          row.length);
    }
    Checks.that(
        columns.isEmpty() || columns.size() == values[0].length,
        "columns: expected %d labels or none, got %d",
        values[0].length,
        columns.size());
    Checks.that(
        rows.isEmpty() || rows.size() == values.length,
        "rows: expected %d labels or none, got %d",
        values.length,
        rows.size());
  }
}
