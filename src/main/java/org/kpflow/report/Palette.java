package org.kpflow.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;

/**
 * The colours, fonts and strokes of every plot. The series colours are Okabe and Ito's, told apart
 * by colour-blind readers too.
 */
final class Palette {
  static final Color INK = new Color(0x22, 0x22, 0x22);
  static final Color FAINT_INK = new Color(0x66, 0x66, 0x66);
  static final Color AXIS = new Color(0x99, 0x99, 0x99);
  static final Color GRID = new Color(0xEA, 0xEA, 0xEA);
  static final Color GUIDE = new Color(0x88, 0x88, 0x88);

  static final BasicStroke HAIRLINE = new BasicStroke(0.8f);
  static final BasicStroke DASHED =
      new BasicStroke(
          0.9f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10f, new float[] {4f, 3f}, 0f);

  // Without the eighth, yellow: it vanishes on white.
  private static final Color[] SERIES = {
    new Color(0x00, 0x72, 0xB2),
    new Color(0xD5, 0x5E, 0x00),
    new Color(0x00, 0x9E, 0x73),
    new Color(0xCC, 0x79, 0xA7),
    new Color(0xE6, 0x9F, 0x00),
    new Color(0x56, 0xB4, 0xE9),
    new Color(0x00, 0x00, 0x00)
  };

  private Palette() {}

  /** The colour of the i-th series; they repeat after seven. */
  static Color series(int i) {
    return SERIES[i % SERIES.length];
  }

  /** The same colour, see-through. */
  static Color withAlpha(Color color, double alpha) {
    return new Color(
        color.getRed(), color.getGreen(), color.getBlue(), (int) Math.round(255 * alpha));
  }

  /** A solid line with round joints. */
  static BasicStroke line(double width) {
    return new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  }

  /** The sans-serif font of the machine; one is present wherever Java can draw text at all. */
  static Font font(double size) {
    return new Font(Font.SANS_SERIF, Font.PLAIN, 1).deriveFont((float) size);
  }

  /** The same in bold, for titles. */
  static Font boldFont(double size) {
    return font(size).deriveFont(Font.BOLD);
  }
}
