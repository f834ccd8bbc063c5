package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.KroneckerFactor;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.io.TensorMap;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The main job: spectra, ranks, views, modes and alignments of a trained network's NTK, of its core
 * V Vᵀ and of P P*.
 */
public final class Analysis {
  private static final long EXACT_SIZE =
      4096; // states up to this size are analysed exactly by default
  // Sites below this share of the largest are left out of exact views: at most its square, times
  // ||P_core||² σ_1², of the NTK.
  private static final double SITE_THRESHOLD = 1e-6;
  private static final long SAVED_SIZE = 1024; // views up to this size are saved as matrices
  private static final double EIGENVALUE_TOLERANCE = 1e-6;

  private final AnalysisRequest request;
  private final DiagnosisOptions diagnosis;
  private final Progress progress;
  private final ExecutionContext context;
  private final Linearization linearization;
  private final ViewSpectra spectra;
  private final TensorMap arrays = new TensorMap("analysis");
  private final List<String> warnings = new ArrayList<>();
  private boolean partial;
  private Tensor eigenvectors; // the leading ones of the NTK, [modes, B, T, n]

  private Analysis(
      AnalysisRequest request,
      DiagnosisOptions diagnosis,
      Linearization linearization,
      Progress progress) {
    this.request = request;
    this.diagnosis = diagnosis;
    this.linearization = linearization;
    this.progress = progress;
    this.context = request.context();
    this.spectra = new ViewSpectra(context, this::unfinished);
  }

  /**
   * Analyses a model. The caller closes the result.
   *
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
    boolean exact =
        switch (request.method()) {
          case BASIS -> true;
          case SAMPLED -> false;
          case AUTO -> linearization.stateShape().count() <= EXACT_SIZE;
        };
    List<OperatorReport> operators = new ArrayList<>();
    Estimate cosCore;
    Estimate cosTemporal;
    double largest;
    Tensor temporal;
    try (Tensor gram = KroneckerCore.gram(linearization);
        OperatorViews kernel =
            exact ? exactKernel() : sampled("NTK", new ParameterJacobian(linearization), false)) {
      operators.add(kernelReport(kernel));
      double[] leading = operators.get(0).eigenvalues();
      largest = leading.length > 0 ? leading[0] : Double.NaN;
      if (operators.get(0).trace().value() == 0) {
        warnings.add(
            "the NTK is zero: inputs and states at all sites vanish; its ranks and cosines are undefined");
      }
      cosCore = kernel.cosineWithLifted(gram);
      cosTemporal = request.views().contains(View.TEMP) ? kernel.cosineTemporal(gram) : null;
      temporal = temporalModes("ntk_temp_modes", kernel);
      operators.add(coreReport(gram));
    }
    operators.add(propagationReport(exact));
    TargetReport target = request.targets() == null ? null : targetReport(largest, temporal);
    ObjectiveReport objectives =
        request.targets() == null
            ? null
            : ObjectiveReport.of(request, diagnosis.objectives(), linearization, arrays, warnings);
    progress.stage("singular values of P and Lyapunov exponents", 0);
    PropagationReport depth =
        new PropagationAnalysis(request, linearization, arrays, warnings::add)
            .run(diagnosis.exponents(), this::unfinished);
    if (!exact) {
      warnSampled(operators);
    }
    AnalysisReport report =
        new AnalysisReport(
            request.model().toString(),
            sizes(),
            linearization.dtype().toString(),
            exact ? "basis" : "sampled",
            exact ? 0 : samples(operators.get(0)),
            request.rng().seed(),
            context.threads(),
            operators,
            cosCore,
            cosTemporal,
            target,
            depth,
            objectives,
            List.copyOf(warnings),
            partial,
            (System.nanoTime() - start) / 1e9);
    if (!diagnosis.keepEigenvectors()) {
      closeEigenvectors();
    }
    return new AnalysisResult(report, arrays, eigenvectors);
  }

  private void closeEigenvectors() {
    if (eigenvectors != null) {
      eigenvectors.close();
      eigenvectors = null;
    }
  }

  private static long samples(OperatorReport operator) {
    return operator.views().values().stream().mapToLong(ViewReport::products).max().orElse(0);
  }

  private OperatorReport propagationReport(boolean exact) {
    PropagationOperator propagation = new PropagationOperator(linearization);
    double[] none = {};
    try (OperatorViews views =
        exact ? exactPropagation(propagation) : sampled("PPt", propagation, true)) {
      return new OperatorReport(
          "PPt", none, none, 0, views.trace(), root(views.squaredNorm()), reports("PPt", views));
    }
  }

  private TargetReport targetReport(double largest, Tensor temporal) {
    progress.stage("targets", 0);
    return new TargetAnalysis(
            linearization, request.readout(), request.targets(), arrays, eigenvectors)
        .run(largest, temporal);
  }

  private Map<String, Long> sizes() {
    Map<String, Long> sizes = new LinkedHashMap<>();
    sizes.put("trials", linearization.trials());
    sizes.put("steps", linearization.steps());
    sizes.put("units", linearization.units());
    sizes.put("rows", linearization.rows());
    sizes.put("state", linearization.stateShape().count());
    sizes.put("parameters", linearization.parameterCount());
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

  private OperatorReport kernelReport(OperatorViews views) {
    NeuralTangentKernel kernel = new NeuralTangentKernel(linearization);
    int modes = (int) Math.min(request.modes(), linearization.stateShape().count());
    progress.stage("leading eigenvalues of the NTK", 0);
    double tolerance = Math.max(EIGENVALUE_TOLERANCE, linearization.dtype().epsilon());
    LanczosOptions options =
        LanczosOptions.largest(modes)
            .tolerance(tolerance)
            .basis((int) Math.min(linearization.stateShape().count(), 2L * modes + 12))
            .seed(request.rng().split(1).seed());
    try (EigenPairs pairs = leadingPairs(kernel, options)) {
      eigenvectors = pairs.vectors().copy();
      arrays.put("ntk_eigenvalues", Tensor.of(Shape.of(pairs.values().length), pairs.values()));
      return new OperatorReport(
          "NTK",
          pairs.values(),
          pairs.residuals(),
          pairs.matvecs(),
          views.trace(),
          root(views.squaredNorm()),
          reports("ntk", views));
    }
  }

  /** The pairs asked for, or those that converged, with a warning. */
  private EigenPairs leadingPairs(LinearOperator operator, LanczosOptions options) {
    try (Tensor start = diagnosis.startVector(linearization)) {
      return Eigsh.solve(operator, start == null ? options : options.start(start));
    } catch (NoConvergenceException unfinished) {
      unfinished(unfinished.getMessage());
      return unfinished.partial();
    }
  }

  private void unfinished(String warning) {
    warnings.add(warning);
    partial = true;
  }

  /**
   * V Vᵀ ⊗ I_n: its temporal view is the Gram matrix of the sites itself, the others follow from
   * it.
   */
  private OperatorReport coreReport(Tensor gram) {
    progress.stage("spectra of the core", 0);
    Shape temporal = Shape.of(linearization.trials(), linearization.steps());
    LinearOperator core =
        MatrixOperator.symmetric(context, temporal, gram.reshape(temporal.concat(temporal)));
    Map<String, ViewReport> reports = new LinkedHashMap<>();
    for (View view : request.views()) {
      switch (view) {
        case TEMP -> {
          reports.put(view.toString(), spectra.exact(gram, "exact", 0));
          putModes("core_temp_modes", gram);
        }
        case BATCH -> reports.put(view.toString(), coreAverage(core, 1));
        case TIME -> reports.put(view.toString(), coreAverage(core, 0));
        case SPACE -> {
          try (Tensor matrix =
              Tensor.zeros(DType.F64, linearization.units(), linearization.units())) {
            double diagonal = ViewSpectra.trace(gram) / linearization.rows();
            for (long i = 0; i < linearization.units(); i++) {
              matrix.set(diagonal, i, i);
            }
            reports.put(view.toString(), spectra.exact(matrix, "exact", 0));
          }
        }
        default -> {} // the mixed views are those of batch and time, repeated n times
      }
    }
    reports.forEach((name, report) -> putEigenvalues("core_" + name, report));
    double n = linearization.units();
    return new OperatorReport(
        "core",
        new double[0],
        new double[0],
        0,
        Estimate.exact(n * ViewSpectra.trace(gram)),
        Estimate.exact(Math.sqrt(n) * TensorMath.norm(context, gram)),
        reports);
  }

  private ViewReport coreAverage(LinearOperator core, int tracedAxis) {
    try (Tensor matrix = core.partialAverage(tracedAxis).toDense()) {
      return spectra.exact(matrix, "exact", 0);
    }
  }

  private Map<String, ViewReport> reports(String prefix, OperatorViews views) {
    progress.stage("spectra of the views of " + prefix, 0);
    Map<String, ViewReport> reports = new LinkedHashMap<>();
    for (View view : request.views()) {
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

  private Tensor temporalModes(String name, OperatorViews views) {
    return request.views().contains(View.TEMP) ? putModes(name, views.matrix(View.TEMP)) : null;
  }

  /**
   * Puts the leading modes of a temporal view into the arrays as [modes, B, T]; returns them as
   * [modes, k].
   */
  private Tensor putModes(String name, Tensor matrix) {
    try (EigenPairs pairs = spectra.leading(matrix, request.modes())) {
      long count = pairs.values().length;
      Tensor modes = Tensor.zeros(DType.F64, count, linearization.trials(), linearization.steps());
      arrays.put(name, modes);
      return modes.reshape(Shape.of(count, linearization.rows())).copyFrom(pairs.vectors());
    }
  }

  private OperatorViews sampled(String name, LinearOperator factor, boolean trialwise) {
    progress.stage("sampling " + name, request.samples());
    RngState rng = request.rng().split(name.hashCode());
    SampledViews views =
        trialwise
            ? SampledViews.ofTrialwiseFactor(
                factor, needed(), request.samples(), rng, progress::done)
            : SampledViews.of(factor, needed(), request.samples(), rng, progress::done);
    return OperatorViews.of(views, linearization.units(), spectra);
  }

  /**
   * The exact views of the NTK: from the columns of L, NTK = L L*, or from its products with all
   * basis vectors, if fewer.
   */
  private OperatorViews exactKernel() {
    NeuralTangentKernel kernel = new NeuralTangentKernel(linearization);
    Estimate square = squaredNorm(kernel);
    long state = linearization.stateShape().count();
    try (KroneckerFactor factor = new KroneckerFactor(linearization, SITE_THRESHOLD)) {
      ReducedViews views;
      if (factor.count() < 3 * state) { // a column costs about a third of a product
        progress.stage("exact views of the NTK", factor.count());
        views = ReducedViews.ofColumns(factor, needed(), progress::done);
      } else {
        progress.stage("exact views of the NTK", state);
        views = ReducedViews.ofOperator(kernel, needed(), progress::done);
      }
      return OperatorViews.of(views, square, linearization.units(), spectra);
    }
  }

  private OperatorViews exactPropagation(PropagationOperator propagation) {
    Estimate square = squaredNorm(propagation.outerGram());
    progress.stage("exact views of P P*", linearization.steps() * linearization.units());
    ReducedViews views = ReducedViews.ofTrialwiseFactor(propagation, needed(), progress::done);
    return OperatorViews.of(views, square, linearization.units(), spectra);
  }

  /** ||A||_F²: over the whole basis where that is small, else from Gaussian probes. */
  private Estimate squaredNorm(LinearOperator operator) {
    if (linearization.stateShape().count() <= EXACT_SIZE) {
      double norm = operator.frobeniusNorm();
      return Estimate.exact(norm * norm);
    }
    progress.stage("norm of " + operator, 0);
    Estimate norm =
        NormEstimator.frobenius(operator, Math.max(request.samples(), 64), request.rng().split(2));
    return new Estimate(
        norm.value() * norm.value(), 2 * norm.value() * norm.standardError(), norm.matvecs());
  }

  private static Estimate root(Estimate square) {
    double value = Math.sqrt(Math.max(square.value(), 0));
    return new Estimate(value, square.standardError() / (2 * value), square.matvecs());
  }

  private void warnSampled(List<OperatorReport> operators) {
    for (OperatorReport operator : operators) {
      operator
          .views()
          .forEach(
              (name, view) -> {
                if (view.relativeError() > 0.05) {
                  warnings.add(
                      String.format(
                          java.util.Locale.ROOT,
                          "the %s view of %s has an expected relative error of %.1f %%: raise --samples, or use --method basis",
                          name,
                          operator.name(),
                          100 * view.relativeError()));
                }
              });
    }
  }
}
