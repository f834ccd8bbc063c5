package org.kpflow.analysis;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Gathers the analyses of checkpoints of one training, one after another. Between them it keeps the
 * last one's leading eigenvectors, from which the next can start, and its temporal modes. Analyse
 * with {@link DiagnosisOptions#keepEigenvectors}.
 */
public final class CheckpointSeries implements AutoCloseable {
  private static final Pattern NUMBER = Pattern.compile("(\\d{1,18})(?!.*\\d)");

  private final ExecutionContext context; // of the CPU, as are the results
  private final int wanted;
  private final List<CheckpointReport> checkpoints = new ArrayList<>();
  private final List<String> warnings = new ArrayList<>();
  private SelectionReport selection;
  private Tensor eigenvectors; // of the last checkpoint [modes, B, T, n]
  private Tensor temporalModes; // of the last checkpoint [modes, k]
  private int temporalModes95;

  /**
   * An empty series.
   *
   * @param wanted how many checkpoints there are to analyse
   */
  public CheckpointSeries(ExecutionContext context, int wanted) {
    this.context = context.host();
    this.wanted = wanted;
  }

  /**
   * Leading eigenvectors of the last checkpoint's NTK [modes, B, T, n], for {@link
   * DiagnosisOptions#start}; null before the first. They stay this object's, until the next is
   * added.
   */
  public Tensor start() {
    return eigenvectors;
  }

  /** Adds an analysis, of which nothing is needed afterwards. */
  public void add(String name, Path weights, AnalysisResult result) {
    AnalysisReport report = result.report();
    OperatorReport kernel = report.operator("NTK");
    selection = report.selection();
    Map<String, Estimate> traces = new LinkedHashMap<>();
    Map<String, Map<String, Estimate>> ratios = new LinkedHashMap<>();
    for (OperatorReport operator : report.operators()) {
      Map<String, Estimate> views = new LinkedHashMap<>();
      operator.views().forEach((view, found) -> views.put(view, found.participationRatio()));
      traces.put(operator.name(), operator.trace());
      ratios.put(operator.name(), views);
    }
    Overlap overlap = overlap(result);
    boolean found = kernel.eigenvalues().length > 0;
    TargetReport target = report.target();
    PropagationReport propagation = report.propagation();
    checkpoints.add(
        new CheckpointReport(
            name,
            weights.toString(),
            step(name),
            name + "/report.html",
            null,
            report.partial(),
            target == null ? Double.NaN : target.loss(),
            target == null ? Double.NaN : target.lossDecrease(),
            traces,
            found ? kernel.eigenvalues()[0] : Double.NaN,
            found ? kernel.residuals()[0] : Double.NaN,
            kernel.matvecs(),
            ratios,
            report.cosNtkCore(),
            report.cosTemporal(),
            target == null ? List.of() : target.modes(),
            overlap.value,
            overlap.modes,
            propagation.lyapunov() == null ? null : propagation.lyapunov().largest(),
            propagation.largest().value(),
            propagation.conditionNumber(),
            report.objectives() == null ? Double.NaN : report.objectives().meanCosine(),
            report.warnings(),
            report.seconds()));
    if (report.partial()) {
      warnings.add(name + ": an iteration ended early; see its report");
    }
    keep(result);
  }

  /** Notes that a checkpoint could not be analysed; the next one starts from the last that was. */
  public void fail(String name, Path weights, String failure) {
    checkpoints.add(CheckpointReport.failed(name, weights.toString(), step(name), failure));
    warnings.add(name + ": " + failure);
  }

  /** Notes something that limits the whole series. */
  public void warn(String warning) {
    warnings.add(warning);
  }

  /** What is known so far. */
  public SeriesReport report() {
    boolean partial =
        checkpoints.size() < wanted || checkpoints.stream().anyMatch(CheckpointReport::partial);
    return new SeriesReport(wanted, selection, checkpoints, warnings, partial);
  }

  private record Overlap(double value, int modes) {}

  /** (1/m) ||U Wᵀ||_F² of the leading m temporal modes, rows of U and W, before and now. */
  private Overlap overlap(AnalysisResult result) {
    if (temporalModes == null || !result.arrays().contains("ntk_temp_modes")) {
      return new Overlap(Double.NaN, 0);
    }
    Tensor now = rows(result.arrays().get("ntk_temp_modes"));
    int known = (int) Math.min(now.shape().size(0), temporalModes.shape().size(0));
    int modes = Math.min(known, Math.min(carrying95(result.report(), known), temporalModes95));
    if (modes < 1 || now.shape().size(1) != temporalModes.shape().size(1)) {
      return new Overlap(Double.NaN, 0);
    }
    try (Tensor products = Tensor.zeros(DType.F64, modes, modes)) {
      TensorMath.gemm(
          context, false, true, 1, temporalModes.slice(0, modes), now.slice(0, modes), 0, products);
      return new Overlap(TensorMath.dot(context, products, products) / modes, modes);
    }
  }

  /** The temporal modes that carry 95 % of the NTK's trace, at most those known. */
  private static int carrying95(AnalysisReport report, int known) {
    int modes = report.operator("NTK").views().get("temp").modes95();
    return modes < 0 ? known : Math.min(modes, known);
  }

  private static Tensor rows(Tensor modes) {
    return modes.reshape(
        Shape.of(modes.shape().size(0), modes.shape().size(1) * modes.shape().size(2)));
  }

  private void keep(AnalysisResult result) {
    close();
    eigenvectors = result.eigenvectors() == null ? null : result.eigenvectors().copy();
    temporalModes = null;
    if (result.arrays().contains("ntk_temp_modes")) {
      temporalModes = rows(result.arrays().get("ntk_temp_modes")).copy();
      temporalModes95 = carrying95(result.report(), (int) temporalModes.shape().size(0));
    }
  }

  /** The last number in a name, or null. */
  static Long step(String name) {
    Matcher found = NUMBER.matcher(name);
    return found.find() ? Long.valueOf(found.group(1)) : null;
  }

  @Override
  public void close() {
    if (eigenvectors != null) {
      eigenvectors.close();
    }
    if (temporalModes != null) {
      temporalModes.close();
    }
  }
}
