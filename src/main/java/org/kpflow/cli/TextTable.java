package org.kpflow.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Rows of text in aligned columns. */
final class TextTable {
  private final List<String[]> rows = new ArrayList<>();

  TextTable row(Object... cells) {
    rows.add(
        Arrays.stream(cells)
            .map(cell -> cell instanceof long[] shape ? Arrays.toString(shape) : "" + cell)
            .map(text -> text.replaceAll("\\p{Cntrl}", "?"))
            .toArray(String[]::new));
    return this;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    for (String[] row : rows) {
      StringBuilder line = new StringBuilder();
      for (int column = 0; column < row.length; column++) {
        line.append("  ").append(String.format("%-" + width(column) + "s", row[column]));
      }
      text.append(line.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  private int width(int column) {
    return IntStream.range(0, rows.size())
        .map(i -> Math.max(1, rows.get(i)[column].length()))
        .max()
        .orElse(1);
  }
}
