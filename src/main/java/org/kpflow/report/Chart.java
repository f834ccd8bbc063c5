package org.kpflow.report;

import java.awt.BasicStroke;
import java.awt.Color;
import java.util.ArrayList;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.XYSeries.XYSeriesRenderStyle;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * A chart in the house style: XChart's axes, grid, title and legend, and the data on a {@link
 * PlotLayer}. Built once for every picture made of it, because XChart keeps measurements from one
 * painting to the next.
 */
final class Chart {
  private static final double SLACK = 1e-6;
  private static final BasicStroke NO_LINE = new BasicStroke(0f);
  private static final Marker[] MARKERS = {
    SeriesMarkers.CIRCLE,
    SeriesMarkers.SQUARE,
    SeriesMarkers.TRIANGLE_UP,
    SeriesMarkers.DIAMOND,
    SeriesMarkers.TRIANGLE_DOWN
  };

  /**
   * Sizes of letters and markers, and the least distance of ticks: of a picture with one chart, or
   * of one with several.
   */
  enum Lettering {
    LARGE(17, 14.5, 13.5, 13.5, 7, 70, 80),
    SMALL(13.5, 12, 11.5, 11.5, 4, 48, 40);

    final double title;
    final double axisTitle;
    final double tick;
    final double text;
    final int marker;
    final int xTickSpacing;
    final int yTickSpacing;

    Lettering(
        double title,
        double axisTitle,
        double tick,
        double text,
        int marker,
        int xTickSpacing,
        int yTickSpacing) {
      this.title = title;
      this.axisTitle = axisTitle;
      this.tick = tick;
      this.text = text;
      this.marker = marker;
      this.xTickSpacing = xTickSpacing;
      this.yTickSpacing = yTickSpacing;
    }
  }

  private final String title;
  private final Axis xAxis;
  private final Axis yAxis;
  private final Lettering lettering;
  private final PlotLayer layer;
  private final List<Key> keys = new ArrayList<>();
  private boolean legendBelow;

  Chart(String title, Axis xAxis, Axis yAxis, Lettering lettering) {
    this.title = Markup.label(title);
    this.xAxis = xAxis;
    this.yAxis = yAxis;
    this.lettering = lettering;
    this.layer = new PlotLayer(xAxis, yAxis, lettering.marker);
  }

  PlotLayer layer() {
    return layer;
  }

  Lettering lettering() {
    return lettering;
  }

  /** The marker of the i-th series; they repeat after five, out of step with the colours. */
  static Marker marker(int i) {
    return MARKERS[i % MARKERS.length];
  }

  /** Adds an entry to the legend at the right. */
  void key(Key key) {
    keys.add(key);
  }

  /** The entries of the legend, to be changed too. */
  List<Key> keys() {
    return keys;
  }

  /** Leaves the legend to who places the chart, which puts it below the plot in rows. */
  void legendBelow() {
    legendBelow = true;
  }

  /** The legend of a chart that leaves it to be placed below, or null where it has none. */
  LegendStrip strip(int width) {
    return legendBelow && !keys.isEmpty()
        ? new LegendStrip(keys, width, Palette.font(lettering.text))
        : null;
  }

  /** XChart's chart, ready to be painted at that size. */
  XYChart build(int width, int height) {
    XYChart chart = new XYChart(width, height);
    chart.setTitle(title);
    chart.setXAxisTitle(xAxis.title());
    chart.setYAxisTitle(yAxis.title());
    chart.setCustomXAxisTickLabelsFormatter(v -> xAxis.label().apply(v));
    chart.setCustomYAxisTickLabelsFormatter(v -> yAxis.label().apply(v));
    style(chart.getStyler());
    for (int i = 0; i < keys.size(); i++) {
      addKey(chart, "key " + i, keys.get(i));
    }
    if (keys.isEmpty()) {
      addKey(chart, "axes", new Key("axes", Palette.INK, SeriesMarkers.NONE));
    }
    chart.addAnnotation(layer);
    return chart;
  }

  /** A series without a visible point: it stands in the legend, and the layer draws its data. */
  private static void addKey(XYChart chart, String id, Key key) {
    XYSeries series = chart.addSeries(id, new double[] {0}, new double[] {Double.NaN});
    series.setLabel(key.label());
    series.setLineColor(key.color());
    series.setFillColor(key.color());
    series.setMarkerColor(key.color());
    series.setMarker(key.isBox() ? SeriesMarkers.NONE : key.marker());
    series.setLineStyle(key.isBox() ? NO_LINE : Palette.line(2));
    series.setXYSeriesRenderStyle(
        key.isBox() ? XYSeriesRenderStyle.PolygonArea : XYSeriesRenderStyle.Line);
  }

  private void style(XYStyler style) {
    // XChart leaves out the label of a tick that lies exactly on the end of its axis.
    double xSlack = SLACK * xAxis.length();
    double ySlack = SLACK * yAxis.length();
    style.setXAxisMin(xAxis.min() - xSlack).setXAxisMax(xAxis.max() + xSlack);
    style.setYAxisMin(yAxis.min() - ySlack).setYAxisMax(yAxis.max() + ySlack);
    style
        .setChartBackgroundColor(Color.WHITE)
        .setPlotBackgroundColor(Color.WHITE)
        .setPlotBorderVisible(false);
    style.setPlotContentSize(1.0).setChartPadding(12).setMarkerSize(7);
    style.setChartFontColor(Palette.INK).setChartTitleFont(Palette.boldFont(lettering.title));
    style.setChartTitleBoxVisible(false).setChartTitlePadding(7);
    style.setAxisTitleFont(Palette.font(lettering.axisTitle)).setAxisTitlePadding(9);
    style.setAxisTickLabelsFont(Palette.font(lettering.tick)).setAxisTickLabelsColor(Palette.INK);
    style.setAxisTickMarksColor(Palette.AXIS).setAxisTickMarksStroke(Palette.HAIRLINE);
    style.setAxisTickMarkLength(4).setAxisTickPadding(4).setAxisTicksLineVisible(true);
    style
        .setXAxisTickMarkSpacingHint(lettering.xTickSpacing)
        .setYAxisTickMarkSpacingHint(lettering.yTickSpacing);
    style.setYAxisLabelAlignment(AxesChartStyler.TextAlignment.Right);
    style.setPlotGridLinesColor(Palette.GRID).setPlotGridLinesStroke(Palette.HAIRLINE);
    style.setPlotTicksMarksVisible(false).setPlotMargin(0);
    style.setLegendVisible(!keys.isEmpty() && !legendBelow);
    style.setLegendPosition(Styler.LegendPosition.OutsideE);
    style.setLegendLayout(Styler.LegendLayout.Vertical);
    style
        .setLegendFont(Palette.font(lettering.text))
        .setLegendPadding(11)
        .setLegendSeriesLineLength(26);
    style.setLegendBackgroundColor(Color.WHITE).setLegendBorderColor(Color.WHITE);
  }
}
