package org.kpflow.report;

import java.util.ArrayList;
import java.util.List;

/** Places the charts of a figure: one fills the picture, several stand in rows and columns. */
final class Grid {
  static final int WIDTH = 900;
  static final int HEIGHT = 600;
  private static final int LOWEST_ROW = 250;
  private static final int PANEL_WIDTH = 440;
  private static final int PANEL_HEIGHT = 330;

  private Grid() {}

  static Chart.Lettering lettering(int charts) {
    return charts == 1 ? Chart.Lettering.LARGE : Chart.Lettering.SMALL;
  }

  /** A picture of panels in columns, each lettered if there are several. */
  static Picture panels(
      String title, String description, List<Chart> charts, List<Key> sharedKeys, int columns) {
    boolean one = charts.size() == 1;
    int across = Math.min(columns, charts.size());
    int width = one ? WIDTH : PANEL_WIDTH;
    int height = one ? HEIGHT : PANEL_HEIGHT;
    List<Picture.Panel> panels = new ArrayList<>();
    for (int i = 0; i < charts.size(); i++) {
      String letter = one ? "" : String.valueOf((char) ('A' + i));
      panels.add(
          new Picture.Panel(
              charts.get(i), letter, i % across * width, i / across * height, width, height));
    }
    int rows = (charts.size() + across - 1) / across;
    LegendStrip legend =
        sharedKeys.isEmpty() ? null : new LegendStrip(sharedKeys, across * width, Palette.font(13));
    return new Picture(title, description, across * width, rows * height, panels, legend);
  }

  /**
   * A picture of one or more charts in columns; several charts share the legend of the given keys,
   * if there are any.
   */
  static Picture picture(
      String title, String description, List<Chart> charts, List<Key> sharedKeys, int columns) {
    int rows = (charts.size() + columns - 1) / columns;
    int width = WIDTH / columns;
    int height = Math.max(LOWEST_ROW, HEIGHT / rows);
    List<Picture.Panel> panels = new ArrayList<>();
    for (int i = 0; i < charts.size(); i++) {
      panels.add(
          new Picture.Panel(
              charts.get(i), "", i % columns * width, i / columns * height, width, height));
    }
    LegendStrip legend =
        sharedKeys.isEmpty() ? null : new LegendStrip(sharedKeys, WIDTH, Palette.font(13));
    return new Picture(title, description, WIDTH, rows * height, panels, legend);
  }
}
