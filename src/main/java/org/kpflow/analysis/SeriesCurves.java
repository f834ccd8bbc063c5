package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import org.kpflow.base.Estimate;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;

/** The records of a series as curves over training and as arrays [checkpoints]. */
final class SeriesCurves {
  private static final int MOST_MODES = 5;

  private final SeriesReport report;
  private final List<CheckpointReport> checkpoints;
  private final double[] positions;

  SeriesCurves(SeriesReport report) {
    this.report = report;
    this.checkpoints = report.checkpoints();
    this.positions = report.positions();
  }

  /** Eigenvalue and trace, ranks, alignment with the core, turning of the temporal modes. */
  List<TrendPanel> kernel() {
    List<TrendPanel> panels = new ArrayList<>();
    panel(
        panels,
        "Size of the NTK",
        "value",
        true,
        exact("λ₁", CheckpointReport::largestEigenvalue),
        estimated("trace", found -> found.traces().get("NTK")));
    panel(
        panels,
        "Ranks of its views",
        "participation ratio",
        true,
        viewNames().stream()
            .map(view -> estimated(view, found -> ratio(found, "NTK", view)))
            .toArray(Trend[]::new));
    panel(
        panels,
        "Alignment with the core",
        "cosine",
        false,
        estimated("NTK", CheckpointReport::cosNtkCore),
        estimated("temp", CheckpointReport::cosTemporal));
    panel(
        panels,
        "Overlap with the checkpoint before",
        "of temporal modes",
        false,
        exact("overlap", CheckpointReport::temporalOverlap));
    return panels;
  }

  /** Loss and its decrease, and how the target's modes lie to the NTK. */
  List<TrendPanel> learning() {
    List<TrendPanel> panels = new ArrayList<>();
    panel(panels, "Loss", "loss", true, exact("loss", CheckpointReport::loss));
    panel(
        panels,
        "Decrease by a unit gradient step",
        "⟨NTK err, err⟩",
        true,
        exact("decrease", CheckpointReport::lossDecrease));
    panel(
        panels,
        "Target modes: Rayleigh quotient / λ₁",
        "quotient",
        true,
        modes(TargetReport.Mode::relativeRayleigh));
    panel(
        panels,
        "Target modes: share inside temporal modes",
        "share",
        false,
        modes(TargetReport.Mode::temporalShare));
    return panels;
  }

  /** The largest Lyapunov exponent and the singular values of P. */
  List<TrendPanel> propagation() {
    List<TrendPanel> panels = new ArrayList<>();
    panel(
        panels,
        "Largest Lyapunov exponent",
        "per step",
        false,
        estimated("exponent", CheckpointReport::largestLyapunov));
    panel(
        panels,
        "Singular values of P",
        "value",
        true,
        exact("σ_max", CheckpointReport::largestSingularValue),
        exact("condition", CheckpointReport::conditionNumber));
    return panels;
  }

  /** All curves by name, each with NAME_error where it has standard errors, and the steps. */
  Map<String, double[]> arrays() {
    Map<String, double[]> arrays = new LinkedHashMap<>();
    arrays.put("position", positions);
    put(arrays, "loss", exact("", CheckpointReport::loss));
    put(arrays, "loss_decrease", exact("", CheckpointReport::lossDecrease));
    put(arrays, "ntk_largest_eigenvalue", exact("", CheckpointReport::largestEigenvalue));
    put(arrays, "ntk_largest_eigenvalue_residual", exact("", CheckpointReport::residual));
    put(arrays, "ntk_eigenvalue_matvecs", exact("", CheckpointReport::matvecs));
    for (String operator : List.of("NTK", "core", "PPt")) {
      put(arrays, operator + "_trace", estimated("", found -> found.traces().get(operator)));
      for (String view : viewNames()) {
        put(
            arrays,
            operator + "_" + view + "_participation_ratio",
            estimated("", found -> ratio(found, operator, view)));
      }
    }
    put(arrays, "cos_ntk_core", estimated("", CheckpointReport::cosNtkCore));
    put(arrays, "cos_temporal", estimated("", CheckpointReport::cosTemporal));
    put(arrays, "temporal_overlap", exact("", CheckpointReport::temporalOverlap));
    for (int mode = 0; mode < mostModes(); mode++) {
      String prefix = "target_mode_" + (mode + 1);
      put(arrays, prefix + "_relative_rayleigh", mode(mode, TargetReport.Mode::relativeRayleigh));
      put(arrays, prefix + "_temporal_share", mode(mode, TargetReport.Mode::temporalShare));
      put(arrays, prefix + "_state_share", mode(mode, TargetReport.Mode::stateShare));
    }
    put(arrays, "largest_lyapunov", estimated("", CheckpointReport::largestLyapunov));
    put(arrays, "largest_singular_value", exact("", CheckpointReport::largestSingularValue));
    put(arrays, "condition_number", exact("", CheckpointReport::conditionNumber));
    put(arrays, "mean_objective_cosine", exact("", CheckpointReport::meanObjectiveCosine));
    return arrays;
  }

  private static void put(Map<String, double[]> arrays, String name, Trend trend) {
    arrays.put(name, trend.values());
    if (trend.standardErrors() != null) {
      arrays.put(name + "_error", trend.standardErrors());
    }
  }

  /** Adds a panel of the curves that have a number, if there is one. */
  private void panel(
      List<TrendPanel> panels, String title, String yTitle, boolean logarithmic, Trend... curves) {
    List<Trend> known =
        Arrays.stream(curves)
            .filter(curve -> DoubleStream.of(curve.values()).anyMatch(Double::isFinite))
            .toList();
    if (!known.isEmpty()) {
      String xTitle = report.hasSteps() ? "training step" : "checkpoint";
      panels.add(new TrendPanel(title, xTitle, yTitle, logarithmic, known));
    }
  }

  private List<String> viewNames() {
    return checkpoints.stream()
        .map(found -> found.participationRatios().get("NTK"))
        .filter(views -> views != null)
        .flatMap(views -> views.keySet().stream())
        .distinct()
        .toList();
  }

  private static Estimate ratio(CheckpointReport found, String operator, String view) {
    Map<String, Estimate> views = found.participationRatios().get(operator);
    return views == null ? null : views.get(view);
  }

  private int mostModes() {
    return checkpoints.stream().mapToInt(found -> found.targetModes().size()).max().orElse(0);
  }

  private Trend[] modes(ToDoubleFunction<TargetReport.Mode> number) {
    Trend[] curves = new Trend[Math.min(MOST_MODES, mostModes())];
    Arrays.setAll(curves, mode -> mode(mode, number));
    return curves;
  }

  private Trend mode(int mode, ToDoubleFunction<TargetReport.Mode> number) {
    return exact(
        "mode " + (mode + 1),
        found ->
            mode < found.targetModes().size()
                ? number.applyAsDouble(found.targetModes().get(mode))
                : Double.NaN);
  }

  private Trend exact(String name, ToDoubleFunction<CheckpointReport> number) {
    return new Trend(name, positions, checkpoints.stream().mapToDouble(number).toArray(), null);
  }

  private Trend estimated(String name, Function<CheckpointReport, Estimate> number) {
    double[] values = new double[checkpoints.size()];
    double[] errors = new double[checkpoints.size()];
    for (int i = 0; i < values.length; i++) {
      Estimate estimate = number.apply(checkpoints.get(i));
      values[i] = estimate == null ? Double.NaN : estimate.value();
      errors[i] = estimate == null ? Double.NaN : estimate.standardError();
    }
    return new Trend(name, positions, values, errors);
  }
}
