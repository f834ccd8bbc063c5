package org.kpflow.report;

import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.font.FontRenderContext;
import java.awt.font.TextLayout;
import java.awt.geom.AffineTransform;
import java.awt.geom.Line2D;
import java.util.ArrayList;
import java.util.List;

/** One legend for several charts: its entries side by side in centred rows. */
final class LegendStrip {
  private static final int ROW = 26;
  private static final int LINE = 26;
  private static final int GAP = 8;
  private static final int BETWEEN = 28;
  private static final int MARKER_SIZE = 7;
  // The size of a text in layout units, whatever it is painted on.
  private static final FontRenderContext MEASURE = new FontRenderContext(null, true, true);

  private final List<List<Key>> rows = new ArrayList<>();
  private final Font font;
  private final int width;

  LegendStrip(List<Key> keys, int width, Font font) {
    this.font = font;
    this.width = width;
    List<Key> row = new ArrayList<>();
    for (Key key : keys) {
      if (!row.isEmpty() && width(row) + BETWEEN + width(key) > width - 2 * BETWEEN) {
        rows.add(row);
        row = new ArrayList<>();
      }
      row.add(key);
    }
    rows.add(row);
  }

  int height() {
    return rows.size() * ROW + ROW / 2;
  }

  void paint(Graphics2D g, double top) {
    for (int i = 0; i < rows.size(); i++) {
      double x = (width - width(rows.get(i))) / 2;
      for (Key key : rows.get(i)) {
        paint(g, key, x, top + (i + 0.5) * ROW);
        x += width(key) + BETWEEN;
      }
    }
  }

  private void paint(Graphics2D g, Key key, double x, double y) {
    g.setColor(key.color());
    g.setStroke(Palette.line(2));
    g.draw(new Line2D.Double(x, y, x + LINE, y));
    if (!key.isBox()) {
      key.marker().paint(g, x + LINE / 2.0, y, MARKER_SIZE);
    }
    Shape glyphs =
        layout(key)
            .getOutline(
                AffineTransform.getTranslateInstance(x + LINE + GAP, y + 0.35 * font.getSize2D()));
    g.setColor(Palette.INK);
    g.fill(glyphs);
  }

  private double width(List<Key> row) {
    return row.stream().mapToDouble(this::width).sum() + BETWEEN * (row.size() - 1);
  }

  private double width(Key key) {
    return LINE + GAP + layout(key).getAdvance();
  }

  private TextLayout layout(Key key) {
    return new TextLayout(key.label().replace('\n', ' '), font, MEASURE);
  }
}
