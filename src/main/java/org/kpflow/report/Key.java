package org.kpflow.report;

import java.awt.Color;
import org.knowm.xchart.style.markers.Marker;

/**
 * An entry of a legend.
 *
 * @param label what it says, of one or more lines
 * @param marker drawn on a line, or null for a filled box
 */
record Key(String label, Color color, Marker marker) {
  private static final int LONGEST_LINE = 24;

  boolean isBox() {
    return marker == null;
  }

  /**
   * A name broken at a space into two lines where it is long, and shortened where that is not
   * enough.
   */
  static String wrapped(String name) {
    String label = Markup.label(name);
    if (length(label) <= LONGEST_LINE) {
      return label;
    }
    int space = label.lastIndexOf(' ', label.offsetByCodePoints(0, LONGEST_LINE));
    if (space <= 0) {
      return shortened(label, 2 * LONGEST_LINE - 8);
    }
    return label.substring(0, space) + "\n" + shortened(label.substring(space + 1), LONGEST_LINE);
  }

  private static String shortened(String label, int longest) {
    return length(label) <= longest
        ? label
        : label.substring(0, label.offsetByCodePoints(0, longest - 1)) + "…";
  }

  private static int length(String label) {
    return label.codePointCount(0, label.length());
  }
}
