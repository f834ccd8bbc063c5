package org.kpflow.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.Shape;
import java.awt.font.TextLayout;
import java.awt.geom.AffineTransform;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.internal.chartpart.Annotation;
import org.knowm.xchart.style.markers.Marker;

/**
 * The data of a chart, drawn over XChart's axes in the order added. XChart itself would paint every
 * line segment on its own: see-through lines would show their joints and an SVG of many trials
 * would be tens of megabytes. Here a line is one path. Values that are not finite are gaps.
 */
final class PlotLayer extends Annotation {
  private static final BasicStroke HALO = Palette.line(3);
  private static final double CAP = 3;

  /** Where a text stands relative to its point. */
  enum Anchor {
    ABOVE,
    BELOW_RIGHT_END,
    CENTRE
  }

  @FunctionalInterface
  private interface Mark {
    void paint(Graphics2D g);
  }

  private final Axis xAxis;
  private final Axis yAxis;
  private final int markerSize;
  private final List<Mark> clipped = new ArrayList<>();
  private final List<Mark> unclipped = new ArrayList<>();

  PlotLayer(Axis xAxis, Axis yAxis, int markerSize) {
    super(false);
    this.xAxis = xAxis;
    this.yAxis = yAxis;
    this.markerSize = markerSize;
  }

  /** A line through the points; a point without neighbours becomes a dot. */
  void line(double[] x, double[] y, Color color, double width) {
    clipped.add(
        g -> {
          g.setColor(color);
          g.setStroke(Palette.line(width));
          Path2D path = new Path2D.Double();
          for (int i = 0; i < y.length; i++) {
            boolean starts = !finite(y, i - 1);
            if (!finite(y, i)) {
              continue;
            }
            if (starts && !finite(y, i + 1)) {
              g.fill(dot(px(x[i]), py(y[i]), 2 * width + 3));
            } else if (starts) {
              path.moveTo(px(x[i]), py(y[i]));
            } else {
              path.lineTo(px(x[i]), py(y[i]));
            }
          }
          g.draw(path);
        });
  }

  /** A filled area between two lines. */
  void band(double[] x, double[] low, double[] high, Color color) {
    clipped.add(
        g -> {
          Path2D path = new Path2D.Double();
          for (int i = 0; i < x.length; i++) {
            if (i == 0) {
              path.moveTo(px(x[i]), py(low[i]));
            } else {
              path.lineTo(px(x[i]), py(low[i]));
            }
          }
          for (int i = x.length - 1; i >= 0; i--) {
            path.lineTo(px(x[i]), py(high[i]));
          }
          path.closePath();
          g.setColor(color);
          g.fill(path);
        });
  }

  /** Markers at the points that lie inside the plot, also across its edge. */
  void markers(double[] x, double[] y, Color color, Marker marker) {
    unclipped.add(
        g -> {
          g.setColor(color);
          for (int i = 0; i < y.length; i++) {
            if (finite(y, i) && inside(x[i], y[i])) {
              marker.paint(g, px(x[i]), py(y[i]), markerSize);
            }
          }
        });
  }

  /** A thin vertical bar with caps from low to high. */
  void errorBar(double x, double low, double high, Color color) {
    clipped.add(
        g -> {
          g.setColor(color);
          g.setStroke(Palette.HAIRLINE);
          g.draw(new Line2D.Double(px(x), py(low), px(x), py(high)));
          g.draw(new Line2D.Double(px(x) - CAP, py(low), px(x) + CAP, py(low)));
          g.draw(new Line2D.Double(px(x) - CAP, py(high), px(x) + CAP, py(high)));
        });
  }

  /** A filled column from 0 to y. */
  void column(double left, double right, double y, Color color) {
    clipped.add(
        g -> {
          double top = Math.min(py(y), py(0));
          g.setColor(color);
          g.fill(
              new Rectangle2D.Double(px(left), top, px(right) - px(left), Math.abs(py(y) - py(0))));
        });
  }

  /** A filled rectangle with a thin rim. */
  void cell(double left, double right, double low, double high, Color color) {
    clipped.add(
        g -> {
          Rectangle2D cell =
              new Rectangle2D.Double(px(left), py(high), px(right) - px(left), py(low) - py(high));
          g.setColor(color);
          g.fill(cell);
          g.setColor(Palette.GRID);
          g.setStroke(Palette.HAIRLINE);
          g.draw(cell);
        });
  }

  /** An image over a rectangle. */
  void image(double left, double right, double low, double high, BufferedImage image) {
    clipped.add(
        g -> {
          int x = (int) Math.round(px(left));
          int y = (int) Math.round(py(high));
          int width = (int) Math.round(px(right)) - x;
          int height = (int) Math.round(py(low)) - y;
          g.drawImage(image, x, y, width, height, null);
        });
  }

  /** A text around a point, without a rim, for the inside of a cell. */
  void label(String text, double x, double y, Color color, Font font) {
    unclipped.add(
        g -> {
          Shape glyphs = new TextLayout(text, font, g.getFontRenderContext()).getOutline(null);
          Rectangle2D size = glyphs.getBounds2D();
          g.setColor(color);
          g.fill(
              AffineTransform.getTranslateInstance(
                      px(x) - size.getCenterX(), py(y) - size.getCenterY())
                  .createTransformedShape(glyphs));
        });
  }

  /** A thin line across the plot at y. */
  void horizontalGuide(double y, Color color, BasicStroke stroke) {
    clipped.add(
        g ->
            guide(
                g,
                new Line2D.Double(px(xAxis.min()), py(y), px(xAxis.max()), py(y)),
                color,
                stroke));
  }

  /** A thin line up the plot at x. */
  void verticalGuide(double x, Color color, BasicStroke stroke) {
    clipped.add(
        g ->
            guide(
                g,
                new Line2D.Double(px(x), py(yAxis.min()), px(x), py(yAxis.max())),
                color,
                stroke));
  }

  /**
   * A text at a point, kept inside the plot from left to right, with a white rim that sets it off
   * from the data.
   */
  void text(String text, double x, double y, Anchor anchor, Color color, Font font) {
    unclipped.add(
        g -> {
          Shape glyphs =
              new TextLayout(Markup.label(text), font, g.getFontRenderContext()).getOutline(null);
          Rectangle2D size = glyphs.getBounds2D();
          double left =
              px(x)
                  - (anchor == Anchor.BELOW_RIGHT_END ? size.getWidth() + 6 : size.getWidth() / 2);
          left = Math.min(left, px(xAxis.max()) - size.getWidth());
          left = Math.max(left, px(xAxis.min()));
          double baseline =
              switch (anchor) {
                case ABOVE -> py(y) - 5;
                case BELOW_RIGHT_END -> py(y) + size.getHeight() + 5;
                case CENTRE -> py(y) + size.getHeight() / 2;
              };
          AffineTransform place =
              AffineTransform.getTranslateInstance(left - size.getX(), baseline);
          Shape placed = place.createTransformedShape(glyphs);
          g.setColor(Palette.withAlpha(Color.WHITE, 0.8));
          g.setStroke(HALO);
          g.draw(placed);
          g.setColor(color);
          g.fill(placed);
        });
  }

  @Override
  public void paint(Graphics2D g) {
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    bounds =
        new Rectangle2D.Double(
            px(xAxis.min()),
            py(yAxis.max()),
            px(xAxis.max()) - px(xAxis.min()),
            py(yAxis.min()) - py(yAxis.max()));
    Shape before = g.getClip();
    // A rectangle, not an area: the SVG names its clip by the shape's hash, which is the same in
    // every run only for
    // rectangles.
    g.setClip(before == null ? bounds : bounds.createIntersection(before.getBounds2D()));
    clipped.forEach(mark -> mark.paint(g));
    g.setClip(before);
    unclipped.forEach(mark -> mark.paint(g));
  }

  private void guide(Graphics2D g, Line2D line, Color color, BasicStroke stroke) {
    g.setColor(color);
    g.setStroke(stroke);
    g.draw(line);
  }

  private double px(double x) {
    return chart.getScreenXFromChart(x);
  }

  private double py(double y) {
    return chart.getScreenYFromChart(y);
  }

  private boolean inside(double x, double y) {
    return x >= xAxis.min() && x <= xAxis.max() && y >= yAxis.min() && y <= yAxis.max();
  }

  private static boolean finite(double[] values, int i) {
    return i >= 0 && i < values.length && Double.isFinite(values[i]);
  }

  private static Shape dot(double x, double y, double size) {
    return new Ellipse2D.Double(x - size / 2, y - size / 2, size, size);
  }
}
