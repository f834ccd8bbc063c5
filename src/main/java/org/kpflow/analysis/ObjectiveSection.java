package org.kpflow.analysis;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.kpflow.io.TensorMap;
import org.kpflow.report.Figure;
import org.kpflow.report.NumberRow;
import org.kpflow.report.Plots;
import org.kpflow.report.Section;
import org.kpflow.tensor.Tensor;

/** The part of report.html on how objectives lie to each other. */
final class ObjectiveSection {
  static final String PICTURE = "objective_alignment";
  private static final int MOST_ROWS = 16;
  private static final int MOST_DRAWN = 1000;

  private ObjectiveSection() {}

  static Section of(ObjectiveReport report, TensorMap arrays, Path directory) throws IOException {
    List<NumberRow> rows = new ArrayList<>();
    rows.add(
        NumberRow.exact(
            "mean cosine of different objectives",
            report.meanCosine(),
            "1: a step on one is a step on the other; 0: they do not interfere."));
    rows.add(
        NumberRow.exact(
            "lowest cosine",
            report.lowestCosine(),
            report.lowestPair().isEmpty()
                ? "There are no two objectives with a gradient."
                : "Between " + String.join(" and ", report.lowestPair()) + "."));
    rows.add(
        NumberRow.exact(
            "share of opposed pairs",
            report.opposedPairs(),
            "Pairs with a negative cosine: a step on one raises the other."));
    int objectives = report.names().size();
    for (int a = 0; a < objectives && objectives <= MOST_ROWS; a++) {
      rows.add(
          NumberRow.exact(
              report.names().get(a),
              report.lossDecrease()[a],
              "<e, NTK e>: how fast a gradient step on it alone lowers it."));
    }
    List<Figure> figures = new ArrayList<>();
    if (objectives > 1 && objectives <= MOST_DRAWN) {
      figures.add(
          AnalysisWriter.figure(
              directory,
              PICTURE,
              Plots.heatmap(
                  "Alignment of objectives", noun(report), labels(report), cosines(arrays)),
              String.format(
                  Locale.ROOT,
                  "cos(a, b) = ⟨e_a, NTK e_b⟩ / √(⟨e_a, NTK e_a⟩⟨e_b, NTK e_b⟩) of the errors of %d objectives (%s).",
                  objectives,
                  report.kind())));
    }
    return new Section(
        "Objectives",
        "Whether gradient steps on parts of the task help or hinder each other.",
        rows,
        figures);
  }

  /** "output", "trial" or "group", with which every name begins. */
  private static String noun(ObjectiveReport report) {
    return report.names().get(0).substring(0, report.names().get(0).indexOf(' '));
  }

  private static List<String> labels(ObjectiveReport report) {
    return report.names().stream().map(name -> name.substring(name.indexOf(' ') + 1)).toList();
  }

  private static double[][] cosines(TensorMap arrays) {
    Tensor matrix = arrays.get("objective_cosines");
    double[][] rows = new double[(int) matrix.shape().size(0)][];
    for (int a = 0; a < rows.length; a++) {
      rows[a] = matrix.slice(a).toDoubles();
    }
    return rows;
  }
}
