package org.kpflow.report;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** Panels in rows and columns, lettered A, B, C. */
final class PanelFigure {
  private PanelFigure() {}

  static Picture picture(String title, int columns, List<? extends Panel> panels) {
    Chart.Lettering lettering = Grid.lettering(panels.size());
    List<Chart> charts = new ArrayList<>();
    for (Panel panel : panels) {
      charts.add(chart(panel, lettering));
    }
    String description =
        panels.stream().map(PanelFigure::description).collect(Collectors.joining("; "));
    return Grid.panels(title, description, charts, sharedKeys(panels, charts), columns);
  }

  /** One legend for all where every panel that has one has the same; it leaves the panels then. */
  private static List<Key> sharedKeys(List<? extends Panel> panels, List<Chart> charts) {
    Set<List<Key>> legends = new HashSet<>();
    for (int i = 0; i < charts.size(); i++) {
      if (!(panels.get(i) instanceof MatrixPanel) && !charts.get(i).keys().isEmpty()) {
        legends.add(List.copyOf(charts.get(i).keys()));
      }
    }
    if (charts.size() < 2 || legends.size() != 1) {
      return List.of();
    }
    for (int i = 0; i < charts.size(); i++) {
      if (!(panels.get(i) instanceof MatrixPanel)) {
        charts.get(i).keys().clear();
      }
    }
    return legends.iterator().next();
  }

  private static Chart chart(Panel panel, Chart.Lettering lettering) {
    if (panel instanceof TrendPanel trends) {
      Chart chart = TrendFigure.chart(trends, lettering);
      chart.legendBelow();
      return chart;
    }
    if (panel instanceof LinesPanel lines) {
      Chart chart = LinesFigure.chart(lines, lettering);
      chart.legendBelow();
      return chart;
    }
    return MatrixFigure.chart((MatrixPanel) panel, lettering);
  }

  private static String description(Panel panel) {
    if (panel instanceof TrendPanel trends) {
      return TrendFigure.description(trends);
    }
    return panel instanceof LinesPanel lines
        ? LinesFigure.description(lines)
        : MatrixFigure.description((MatrixPanel) panel);
  }
}
