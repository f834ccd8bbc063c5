package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Estimate;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.estimate.Budget;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.estimate.ProbeDistribution;
import org.kpflow.estimate.Sampler;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.flow.KernelSpectrum;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.StateRestriction;
import org.kpflow.io.TensorMap;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * The main job: spectra, ranks, views, modes and alignments of a trained network's NTK, of its core
 * V Vᵀ and of P P*, on the whole state or a part of it.
 */
public final class Analysis {
  private static final long EXACT_SIZE = 4096; // states up to this size: exact P P* and norms
  private static final long FEW_EIGENVALUES = 2048; // all of so few are found without being asked
  private static final long LARGE_VIEW = 4096; // views of P P* above this size are left out
  private static final int NORM_PROBES = 32;
  private static final long SAVED_SIZE = 1024; // views up to this size are saved as matrices
  private static final double INEXACT = 0.075; // warned about where no tolerance was given
  private static final double INEXACT_RATIO = 1.5; // of the tolerance: errors are estimates

  private final AnalysisRequest request;
  private final DiagnosisOptions diagnosis;
  private final Progress progress;
  private final ExecutionContext context;
  private final StateRestriction selected;
  private final ViewSpectra spectra;
  private final TensorMap arrays = new TensorMap("analysis");
  private final List<String> warnings = new ArrayList<>();
  private final List<OperatorReport> operators = new ArrayList<>();
  private String stage = "";
  private KernelSummary kernel = KernelSummary.NONE;
  private SpectrumReport spectrum;
  private TargetReport target;
  private ObjectiveReport objectives;
  private PropagationReport depth;
  private boolean partial;
  private Tensor eigenvectors; // the leading ones of the NTK, [modes, B, T', n']

  /** What of the NTK goes beyond its operator report. */
  private record KernelSummary(
      String method,
      long columns,
      long samples,
      Estimate cosCore,
      Estimate cosTemporal,
      Tensor temporalModes) {
    static final KernelSummary NONE = new KernelSummary(null, 0, 0, null, null, null);
  }

  private Analysis(
      AnalysisRequest request,
      DiagnosisOptions diagnosis,
      Linearization linearization,
      Progress progress) {
    this.request = request;
    this.diagnosis = diagnosis;
    this.selected = request.selection().of(linearization);
    this.progress = progress;
    this.context = request.context();
    this.spectra = new ViewSpectra(context, this::unfinished);
  }

  /**
   * Analyses a model. The caller closes the result. Interrupted once the leading eigenvalues of the
   * NTK are there, it returns what it has, marked as partial, and leaves the thread interrupted.
   *
   * @throws org.kpflow.base.CancelledException if it is interrupted before
   * @throws IllegalArgumentException if inputs, targets or initial state do not go with the model
   * @throws org.kpflow.base.NumericalException if the forward pass overflows or eigenvalues do not
   *     converge
   * @throws org.kpflow.base.MemoryException if a view or the linearization does not fit
   */
  public static AnalysisResult run(AnalysisRequest request, Progress progress) {
    return run(request, DiagnosisOptions.defaults(), progress);
  }

  /** The same with choices of what is done beyond spectra and views. */
  public static AnalysisResult run(
      AnalysisRequest request, DiagnosisOptions diagnosis, Progress progress) {
    long start = System.nanoTime();
    progress.stage("forward pass", 0);
    try (Linearization linearization =
        Linearization.of(
            request.context(), request.model(), request.inputs(), request.initialState())) {
      Analysis analysis = new Analysis(request, diagnosis, linearization, progress);
      try {
        return analysis.run(start);
      } catch (RuntimeException failure) {
        analysis.arrays.close();
        analysis.closeEigenvectors();
        throw failure;
      }
    }
  }

  private AnalysisResult run(long start) {
    boolean interrupted = false;
    LinearizationViews.requireTolerance(
        options("NTK", needed(), request.tolerance()), selected.linearization());
    ReducedViews.requireRoom(context.device(), selected.range(), needed());
    try (Tensor gram = KroneckerCore.gram(selected)) {
      analyseKernel(gram);
      operators.add(coreReport(gram));
      operators.add(propagationReport());
      spectrum = spectrumReport();
      if (request.targets() != null) {
        analyseTargets();
      }
      stage("singular values of P and Lyapunov exponents", 0);
      depth =
          new PropagationAnalysis(request, selected.linearization(), arrays, warnings::add)
              .run(diagnosis.exponents(), this::unfinished);
    } catch (CancelledException stopped) {
      if (operators.isEmpty()) {
        throw stopped;
      }
      interrupted = Thread.interrupted(); // set again at the end: what follows is short
      unfinished("stopped during '" + stage + "': what was to follow is missing");
    }
    warnInexact();
    AnalysisReport report =
        new AnalysisReport(
            request.model().toString(),
            sizes(),
            SelectionReport.of(selected),
            selected.dtype().toString(),
            kernel.method(),
            kernel.columns(),
            kernel.samples(),
            request.rng().seed(),
            context.threads(),
            operators,
            spectrum,
            kernel.cosCore(),
            kernel.cosTemporal(),
            target,
            depth,
            objectives,
            List.copyOf(warnings),
            partial,
            (System.nanoTime() - start) / 1e9);
    if (!diagnosis.keepEigenvectors()) {
      closeEigenvectors();
    }
    arrays.moveTo(Device.CPU);
    if (eigenvectors != null && eigenvectors.device() != Device.CPU) {
      try (Tensor there = eigenvectors) {
        eigenvectors = there.to(Device.CPU);
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return new AnalysisResult(report, arrays, eigenvectors);
  }

  private void analyseTargets() {
    try (SelectedTargets found = SelectedTargets.of(request, selected)) {
      if (found.missing() != null) {
        warnings.add(found.missing());
        return;
      }
      stage("targets", 0);
      double[] leading = operators.get(0).eigenvalues();
      target =
          new TargetAnalysis(selected, found, arrays, eigenvectors)
              .run(leading.length > 0 ? leading[0] : Double.NaN, kernel.temporalModes());
      objectives = ObjectiveReport.of(selected, found, diagnosis.objectives(), arrays, warnings);
    }
  }

  private void closeEigenvectors() {
    if (eigenvectors != null) {
      eigenvectors.close();
      eigenvectors = null;
    }
  }

  private void stage(String name, long total) {
    stage = name;
    progress.stage(name, total);
  }

  /** Eigenvalues, norm and views of the NTK; cancelled halfway, it reports what it has. */
  private void analyseKernel(Tensor gram) {
    LinearOperator ntk = selected.tangentKernel();
    stage("leading eigenvalues of the NTK", 0);
    try (EigenPairs pairs =
        new LeadingModes(request, diagnosis, selected, this::unfinished).find(ntk)) {
      eigenvectors = pairs.vectors().copy();
      arrays.put("ntk_eigenvalues", Tensor.of(Shape.of(pairs.values().length), pairs.values()));
      operators.add(kernelReport(pairs, UNKNOWN, UNKNOWN, Map.of()));
      stage("norm of the NTK", 0);
      Estimate square = squaredNorm(ntk, pairs.vectors());
      try (LinearizationViews found =
              LinearizationViews.ofTangentKernel(
                  selected, options("NTK", needed(), request.tolerance()), staged());
          OperatorViews views =
              OperatorViews.of(found, square, selected.range().size(2), spectra)) {
        OperatorReport report =
            kernelReport(
                pairs, views.trace(), root(square), reports("ntk", request.views(), views));
        operators.set(0, report);
        if (report.trace().value() == 0) {
          warnings.add(
              "the NTK is zero: to first order, no trainable weight changes what is analysed; its ranks"
                  + " and cosines are undefined");
        }
        boolean temporal = request.views().contains(View.TEMP);
        kernel =
            new KernelSummary(
                found.method().toString(),
                found.columns(),
                found.samples(),
                views.cosineWithLifted(gram),
                temporal ? views.cosineTemporal(gram) : null,
                temporal ? putModes("ntk_temp_modes", views.matrix(View.TEMP)) : null);
      }
    }
  }

  private static final Estimate UNKNOWN = new Estimate(Double.NaN, Double.NaN, 0);

  private static OperatorReport kernelReport(
      EigenPairs pairs, Estimate trace, Estimate norm, Map<String, ViewReport> views) {
    return new OperatorReport(
        "NTK", pairs.values(), pairs.residuals(), pairs.matvecs(), trace, norm, views);
  }

  /** The progress of this analysis, which remembers the stage. */
  private Progress staged() {
    return new Progress() {
      @Override
      public void stage(String name, long total) {
        Analysis.this.stage(name, total);
      }

      @Override
      public void done(long count) {
        progress.done(count);
      }
    };
  }

  /** All eigenvalues, if they are wanted or few: no more than the columns of the views' factor. */
  private SpectrumReport spectrumReport() {
    boolean few =
        kernel.method().equals("factor")
            && request.tolerance() == 0
            && kernel.columns() <= FEW_EIGENVALUES
            && selected.linearization().stateShape().count() <= EXACT_SIZE;
    if (!request.wholeSpectrum() && !few) {
      return null;
    }
    try (KernelSpectrum found = KernelSpectrum.of(selected, 0, staged())) {
      double[] values = found.values();
      if (values.length == 0) {
        return null;
      }
      arrays.put("ntk_all_eigenvalues", Tensor.of(Shape.of(values.length), values));
      long rank = Arrays.stream(values).filter(value -> value > found.floor()).count();
      return new SpectrumReport(
          found.through(), found.dimension(), found.floor(), rank, SpectrumMetrics.of(values));
    } catch (MemoryException tooLarge) {
      unfinished("--whole-spectrum: " + tooLarge.getMessage());
      return null;
    }
  }

  private OperatorReport propagationReport() {
    LinearOperator propagation = selected.propagation();
    stage("norm of P P*", 0);
    Estimate square = squaredNorm(propagation.outerGram(), null);
    double[] none = {};
    try (LinearizationViews found =
            LinearizationViews.ofPropagation(selected, options("PPt", small(), 0), staged());
        OperatorViews views = OperatorViews.of(found, square, selected.range().size(2), spectra)) {
      return new OperatorReport(
          "PPt", none, none, 0, views.trace(), root(square), reports("PPt", small(), views));
    }
  }

  /** How the views of an operator are to be found. */
  private LinearizationViews.Options options(String operator, List<View> views, double tolerance) {
    return new LinearizationViews.Options(
        views,
        request.method(),
        tolerance,
        request.samples(),
        request.rng().split(operator.hashCode()));
  }

  /** The views of P P*: it is a backdrop, and has so many modes that large views take long. */
  private List<View> small() {
    return needed().stream()
        .filter(v -> v == View.TEMP || v.size(selected.range()) <= LARGE_VIEW)
        .toList();
  }

  private Map<String, Long> sizes() {
    Map<String, Long> sizes = new LinkedHashMap<>();
    sizes.put("trials", selected.range().size(0));
    sizes.put("steps", selected.range().size(1));
    sizes.put("units", selected.range().size(2));
    sizes.put("rows", selected.rows());
    sizes.put("state", selected.range().count());
    sizes.put("parameters", selected.linearization().parameterCount());
    return sizes;
  }

  /**
   * The views every operator needs: those asked for, and the temporal one for the core's alignment.
   */
  private List<View> needed() {
    List<View> needed = new ArrayList<>(request.views());
    if (!needed.contains(View.TEMP)) {
      needed.add(View.TEMP);
    }
    return needed;
  }

  private void unfinished(String warning) {
    warnings.add(warning);
    partial = true;
  }

  private OperatorReport coreReport(Tensor gram) {
    stage("spectra of the core", 0);
    OperatorReport report = new CoreAnalysis(selected, spectra).run(gram, request.views());
    report.views().forEach((name, view) -> putEigenvalues("core_" + name, view));
    if (request.views().contains(View.TEMP)) {
      putModes("core_temp_modes", gram);
    }
    return report;
  }

  private Map<String, ViewReport> reports(String prefix, List<View> wanted, OperatorViews views) {
    stage("spectra of the views of " + prefix, 0);
    Map<String, ViewReport> reports = new LinkedHashMap<>();
    for (View view : request.views().stream().filter(wanted::contains).toList()) {
      ViewReport report = views.report(view);
      reports.put(view.toString(), report);
      putEigenvalues(prefix + "_" + view, report);
      if (report.size() <= SAVED_SIZE) {
        arrays.put(prefix + "_" + view, views.matrix(view).copy());
      }
    }
    return reports;
  }

  private void putEigenvalues(String prefix, ViewReport report) {
    double[] values = report.eigenvalues();
    arrays.put(prefix + "_eigenvalues", Tensor.of(Shape.of(values.length), values));
  }

  /**
   * Puts the leading modes of a temporal view into the arrays as [modes, B, T']; returns them as
   * [modes, k'].
   */
  private Tensor putModes(String name, Tensor matrix) {
    try (EigenPairs pairs = spectra.leading(matrix, request.modes())) {
      long count = pairs.values().length;
      Tensor modes =
          context.zeros(DType.F64, count, selected.range().size(0), selected.range().size(1));
      arrays.put(name, modes);
      return modes.reshape(Shape.of(count, selected.rows())).copyFrom(pairs.vectors());
    }
  }

  /**
   * ||A||_F²: over the whole basis where that is small, else ||A Q||² exactly on orthonormal rows Q
   * and the rest from Gaussian probes.
   */
  private Estimate squaredNorm(LinearOperator operator, Tensor deflation) {
    if (operator.domain().count() <= EXACT_SIZE) {
      double norm = operator.frobeniusNorm();
      return Estimate.exact(norm * norm, operator.domain().count());
    }
    Sampler probes = new Sampler(ProbeDistribution.GAUSSIAN, request.rng().split(2));
    Budget budget = Budget.of(NORM_PROBES);
    return deflation == null
        ? NormEstimator.squaredFrobenius(operator, probes, budget)
        : NormEstimator.squaredFrobenius(operator, deflation, probes, budget);
  }

  private static Estimate root(Estimate square) {
    double value = Math.sqrt(Math.max(square.value(), 0));
    return square.derived(value, value == 0 ? 0 : square.standardError() / (2 * value));
  }

  private String remedy(String operator) {
    return request.samples() > 0 || operator.equals("PPt") ? "raise --samples" : "lower --rtol";
  }

  private void warn(String format, Object... arguments) {
    warnings.add(String.format(java.util.Locale.ROOT, format, arguments));
  }

  /** Says where a view is less exact than was asked for; P P* is a backdrop, asked for nothing. */
  private void warnInexact() {
    for (OperatorReport operator : operators) {
      boolean asked = operator.name().equals("NTK") && request.tolerance() != 0;
      double wanted = asked ? INEXACT_RATIO * request.tolerance() : INEXACT;
      operator
          .views()
          .forEach(
              (name, view) -> {
                boolean zero = view.trace().value() == 0;
                if (!(view.relativeError() <= wanted) && !zero) {
                  warn(
                      "the %s view of %s has a relative error of %.2g: %s",
                      name, operator.name(), view.relativeError(), remedy(operator.name()));
                }
                if (!(view.truncation() <= wanted) && !zero) {
                  warn(
                      "the %s view of %s leaves out up to %.2g of its norm, a bound: P amplifies too much for a better one",
                      name, operator.name(), view.truncation());
                }
              });
    }
  }
}
