package org.kpflow.report;

import java.util.List;
import java.util.stream.IntStream;
import org.kpflow.base.Checks;

/**
 * The figures of a report. Every method accepts what a degenerate operator gives (zero spectra, one
 * mode, one step, NaN) and draws what can be drawn. Nothing is painted before {@link Picture#png}
 * or {@link Picture#svg}.
 */
public final class Plots {
  private Plots() {}

  /**
   * How many modes carry how much of each operator: cumulative shares over 0, 1, 2, … modes with a
   * line at 95 %. The x axis ends where the slowest curve of low rank has 99.9 %, at 20 to 100
   * modes.
   *
   * @param curves cumulative shares, 0 to 1 (see {@link Curve#cumulative}); standard errors become
   *     a shaded band
   * @throws IllegalArgumentException if there is no curve
   */
  public static Picture cumulativeVariance(List<Curve> curves) {
    checkNotEmpty(curves, "curves");
    return CumulativeFigure.picture(curves);
  }

  /**
   * The leading temporal modes, at most six, one chart each. More than 100 trials are thinned out,
   * and the title says so.
   *
   * @param modes the leading mode first
   * @param phases parts of a trial in the order of time; may be empty
   * @throws IllegalArgumentException if there is no mode
   */
  public static Picture temporalModes(List<TemporalMode> modes, List<Phase> phases) {
    checkNotEmpty(modes, "modes");
    return temporalModes(modes, IntStream.range(0, modes.get(0).steps()).toArray(), phases);
  }

  /**
   * The same for modes of some steps of a trial.
   *
   * @param steps the time step of every entry of a trial, ascending
   * @throws IllegalArgumentException if a mode does not have so many steps
   */
  public static Picture temporalModes(List<TemporalMode> modes, int[] steps, List<Phase> phases) {
    checkNotEmpty(modes, "modes");
    Checks.notNull(steps, "steps");
    Checks.notNull(phases, "phases");
    for (TemporalMode mode : modes) {
      Checks.that(
          mode.steps() == steps.length,
          "steps: expected %d as in a mode, got %d",
          mode.steps(),
          steps.length);
    }
    return TemporalFigure.picture(modes, steps, phases);
  }

  /**
   * Eigenvalues over the mode index, logarithmic. Eigenvalues that are negative or below rounding
   * are left out.
   *
   * @param curves the eigenvalues of each operator, the largest first; standard errors become bars
   * @param relative whether each curve is divided by its largest value
   * @throws IllegalArgumentException if there is no curve
   */
  public static Picture eigenvalueSpectra(List<Curve> curves, boolean relative) {
    checkNotEmpty(curves, "curves");
    String title = relative ? "Eigenvalues relative to the largest" : "Eigenvalues";
    return SpectrumFigure.picture(title, List.of(new SpectrumPanel(title, curves)), relative);
  }

  /**
   * The spectra of several reduced views, one chart each with a common y axis of eigenvalues
   * relative to the largest.
   *
   * @throws IllegalArgumentException if there is no panel
   */
  public static Picture viewSpectra(List<SpectrumPanel> views) {
    checkNotEmpty(views, "views");
    return SpectrumFigure.picture("Spectra of the reduced views", views, true);
  }

  /**
   * The Rayleigh quotients ⟨u, A u⟩ / (‖A‖ ‖u‖²) of the target's modes u as columns with their
   * values.
   *
   * @param models one curve per model, one value per target mode
   * @throws IllegalArgumentException if there is no model
   */
  public static Picture targetAlignment(List<Curve> models) {
    checkNotEmpty(models, "models");
    return TargetFigure.picture(models);
  }

  /**
   * Curves with error bars, one chart per panel with axes of its own.
   *
   * @throws IllegalArgumentException if there is no panel
   */
  public static Picture trends(String title, List<TrendPanel> panels) {
    Checks.notNull(title, "title");
    checkNotEmpty(panels, "panels");
    return TrendFigure.picture(title, panels);
  }

  /**
   * A matrix of cosines between objectives, -1 to 1, as coloured cells with the first row on top;
   * the values are written into the cells of at most 12 objectives. NaN is undefined.
   *
   * @param axis what a row is, such as "trial"
   * @param labels one per row, short and all different, such as "12"
   * @throws IllegalArgumentException if the matrix is empty or has not one row and column per label
   */
  public static Picture heatmap(String title, String axis, List<String> labels, double[][] values) {
    Checks.notNull(title, "title");
    Checks.notNull(axis, "axis");
    checkNotEmpty(labels, "labels");
    Checks.that(
        values != null && values.length == labels.size(),
        "values: expected one row for each of %d labels",
        labels.size());
    for (double[] row : values) {
      Checks.that(
          row.length == labels.size(),
          "values: expected rows of %d, got one of %d",
          labels.size(),
          row.length);
    }
    return HeatmapFigure.picture(title, axis, labels, values);
  }

  /**
   * Panels in rows and columns, lettered A, B, C, … A legend that all share stands below them.
   *
   * @param columns panels side by side, at least 1
   * @throws IllegalArgumentException if there is no panel
   */
  public static Picture panels(String title, int columns, List<? extends Panel> panels) {
    Checks.notNull(title, "title");
    Checks.range("columns", columns, 1, 6);
    checkNotEmpty(panels, "panels");
    return PanelFigure.picture(title, columns, panels);
  }

  private static void checkNotEmpty(List<?> items, String name) {
    Checks.that(items != null && !items.isEmpty(), "%s: expected at least one", name);
  }
}
