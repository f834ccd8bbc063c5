package org.kpflow.analysis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.flow.TransitionNorms;
import org.kpflow.io.TensorMap;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LyapunovSpectrum;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.tensor.Tensor;

/**
 * Extreme singular values of P, and for models that step through time, Lyapunov exponents and norms
 * of state transitions.
 */
final class PropagationAnalysis {
  // Of σ²; the extreme singular values of P come in clusters, one for each trial at least.
  private static final double TOLERANCE = 1e-2;
  private static final int SOURCES = 3;
  private static final long MOST_TRIALS = 4;
  private static final double BUDGET = 2e11; // floating point operations for the transitions
  private static final double ROUNDING = 1e-13; // |R_ii| below this are taken for rounding

  private final AnalysisRequest request;
  private final Linearization linearization;
  private final TensorMap arrays;
  private final Consumer<String> warnings;

  PropagationAnalysis(
      AnalysisRequest request,
      Linearization linearization,
      TensorMap arrays,
      Consumer<String> warnings) {
    this.request = request;
    this.linearization = linearization;
    this.arrays = arrays;
    this.warnings = warnings;
  }

  /**
   * The report; adds lyapunov, transition_sources, transition_lags and transition_norms to the
   * arrays.
   *
   * @param exponents Lyapunov exponents wanted, at most n are taken; 0 for none
   * @param unfinished told when a singular value does not converge
   */
  PropagationReport run(int exponents, Consumer<String> unfinished) {
    PropagationOperator propagation = new PropagationOperator(linearization);
    SingularValue largest = singular(propagation.outerGram(), unfinished);
    SingularValue inverse = singular(propagation.inverse().gram(), unfinished);
    double smallest = 1 / inverse.value();
    double relative = inverse.errorBound() / inverse.value();
    double condition = largest.value() * inverse.value();
    boolean steps = linearization.stepsThroughTime();
    return new PropagationReport(
        largest,
        new SingularValue(smallest, smallest * relative, inverse.matvecs()),
        condition,
        condition * (largest.errorBound() / largest.value() + relative),
        steps,
        steps && exponents > 0 ? lyapunov(Math.min(exponents, linearization.units())) : null,
        steps ? transitions() : List.of());
  }

  /** σ with σ² the largest eigenvalue of the Gram operator. */
  private SingularValue singular(LinearOperator gram, Consumer<String> unfinished) {
    LanczosOptions options =
        LanczosOptions.largest(1).tolerance(TOLERANCE).seed(request.rng().split(3).seed());
    try (EigenPairs pairs = Eigsh.solve(gram, options)) {
      double value = Math.sqrt(pairs.values()[0]);
      return new SingularValue(value, pairs.residuals()[0] / value, pairs.matvecs());
    } catch (NoConvergenceException failure) {
      unfinished.accept(failure.getMessage());
      try (EigenPairs none = failure.partial()) {
        return new SingularValue(Double.NaN, Double.NaN, none.matvecs());
      }
    }
  }

  private PropagationReport.Lyapunov lyapunov(long count) {
    LyapunovSpectrum spectrum = perInput(LyapunovSpectrum.of(linearization, count));
    arrays.put(
        "lyapunov",
        Tensor.of(
            Shape.of(linearization.trials(), count),
            Arrays.stream(spectrum.exponents()).flatMapToDouble(Arrays::stream).toArray()));
    double[] mean = new double[(int) count];
    double[] errors = new double[(int) count];
    for (int i = 0; i < count; i++) {
      mean[i] = spectrum.mean(i).value();
      errors[i] = spectrum.mean(i).standardError();
    }
    boolean singular = spectrum.minusInfinities() > 0;
    boolean stages = linearization.stepsPerInput() > 1; // which overwrite parts of the state
    if (singular && !stages) {
      warnings.accept(
          spectrum.minusInfinities()
              + " of "
              + linearization.trials() * count
              + " Lyapunov exponents are -infinity, because step Jacobians are singular; means over"
              + " trials that contain one are -infinity too (null in report.json)");
    } else if (!singular && spectrum.smallestDiagonal() < ROUNDING) {
      warnings.accept(
          "step Jacobians are singular up to rounding: the lowest Lyapunov exponents are rounding");
    }
    return new PropagationReport.Lyapunov(
        linearization.units(),
        mean,
        errors,
        spectrum.largest(),
        spectrum.kaplanYorkeDimension(),
        spectrum.minusInfinities(),
        spectrum.smallestDiagonal());
  }

  /** Exponents per step of the inputs from those per step of the state. */
  private LyapunovSpectrum perInput(LyapunovSpectrum spectrum) {
    double[][] scaled =
        Arrays.stream(spectrum.exponents())
            .map(
                trial -> Arrays.stream(trial).map(x -> x * linearization.stepsPerInput()).toArray())
            .toArray(double[][]::new);
    return new LyapunovSpectrum(scaled, spectrum.units(), spectrum.smallestDiagonal());
  }

  /**
   * Norms from the first step of the inputs on, and from one and two thirds of the trial on, after
   * whole steps of the inputs.
   */
  private List<PropagationReport.Transitions> transitions() {
    long stages = linearization.stepsPerInput();
    long steps = linearization.steps() / stages;
    double product = 2.0 * Math.pow(linearization.units(), 3) * stages; // operations of Φ, a step
    long longest = (long) Math.min(steps - 1, Math.max(1, BUDGET / (SOURCES * product)));
    long trials =
        (long)
            Math.max(1, Math.min(MOST_TRIALS, BUDGET / (SOURCES * Math.max(longest, 1) * product)));
    long[] sources =
        LongStream.range(0, SOURCES).map(i -> i * steps / SOURCES).distinct().toArray();
    long[] lags = lags(longest);
    List<TransitionNorms> found = new ArrayList<>();
    try (Linearization some = part(Math.min(trials, linearization.trials()))) {
      for (long source : sources) {
        long[] passed = Arrays.stream(lags).map(lag -> lag * stages).toArray();
        double[][] norms = TransitionNorms.of(some, (source + 1) * stages - 1, passed).norms();
        found.add(new TransitionNorms(source, Arrays.copyOf(lags, norms.length), norms));
      }
      save(found, lags, some.trials());
    }
    return found.stream().map(PropagationAnalysis::report).toList();
  }

  /** 0, 1, 2, 3, 4, 6, 9, …, each half as long again, and the longest. */
  private static long[] lags(long longest) {
    LongStream growing =
        LongStream.iterate(1, lag -> lag < longest, lag -> Math.max(lag + 1, lag * 3 / 2));
    return LongStream.concat(LongStream.of(0), LongStream.concat(growing, LongStream.of(longest)))
        .distinct()
        .toArray();
  }

  /** The linearization of some trials, evenly spread. */
  private Linearization part(long trials) {
    try (Tensor inputs = spread(request.inputs(), trials);
        Tensor initial =
            request.initialState() == null ? null : spread(request.initialState(), trials)) {
      return Linearization.of(request.context(), request.model(), inputs, initial);
    }
  }

  private static Tensor spread(Tensor all, long count) {
    Tensor part = Tensor.zeros(all.device(), all.dtype(), all.shape().tail().block(count));
    for (long i = 0; i < count; i++) {
      part.slice(i).copyFrom(all.slice(i * all.shape().size(0) / count));
    }
    return part;
  }

  /** transition_norms is [sources, lags, trials], NaN where s + lag lies beyond the last step. */
  private void save(List<TransitionNorms> found, long[] lags, long trials) {
    Tensor norms = Tensor.zeros(DType.F64, found.size(), lags.length, trials);
    for (int s = 0; s < found.size(); s++) {
      for (int lag = 0; lag < lags.length; lag++) {
        double[][] known = found.get(s).norms();
        for (int b = 0; b < trials; b++) {
          norms.set(lag < known.length ? known[lag][b] : Double.NaN, s, lag, b);
        }
      }
    }
    arrays.put("transition_norms", norms);
    arrays.put("transition_lags", vector(Arrays.stream(lags)));
    arrays.put("transition_sources", vector(found.stream().mapToLong(TransitionNorms::source)));
  }

  private static Tensor vector(LongStream numbers) {
    double[] values = numbers.asDoubleStream().toArray();
    return Tensor.of(Shape.of(values.length), values);
  }

  private static PropagationReport.Transitions report(TransitionNorms norms) {
    Estimate[] means =
        Arrays.stream(norms.norms())
            .map(trials -> Estimate.ofSamples(trials, 0))
            .toArray(Estimate[]::new);
    return new PropagationReport.Transitions(
        norms.source(),
        norms.norms()[0].length,
        norms.lags(),
        Arrays.stream(means).mapToDouble(Estimate::value).toArray(),
        Arrays.stream(means).mapToDouble(Estimate::standardError).toArray());
  }
}
