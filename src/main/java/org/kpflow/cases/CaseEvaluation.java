package org.kpflow.cases;

import static java.util.stream.Collectors.toCollection;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.flow.CorePropagator;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.LocalParameterJacobian;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.flow.StateRestriction;
import org.kpflow.flow.StateSelection;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Model;
import org.kpflow.model.Readout;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Computes the arrays of a case, which lie on the CPU, from its inputs alone: weights, x, h0, c0,
 * probes, W_out and targets, and err where no read-out gives it. Every array is made on demand,
 * once, and freed with this object. Formulas are those of the case format (docs/cases.md).
 */
public final class CaseEvaluation implements AutoCloseable {
  /** What the arrays of a part of the NTK begin with. */
  static final String BLOCK = "ntk_block_";

  private final CaseDirectory directory;
  private final DType dtype;
  private final Model model;
  private final Linearization linearization;
  private final Map<String, Tensor> made = new LinkedHashMap<>();
  private final Map<String, ReducedViews> views = new LinkedHashMap<>();
  private double loss = Double.NaN;

  /** Reads the case and linearizes its model in the given type. */
  public CaseEvaluation(CaseDirectory directory, DType dtype, ExecutionContext context) {
    this.directory = directory;
    this.dtype = dtype;
    this.model = directory.model(dtype);
    try (Tensor x = directory.read("x", dtype);
        Tensor initial = directory.initialState(dtype)) {
      this.linearization = Linearization.of(context, model, x, initial);
    } catch (RuntimeException failure) {
      model.close();
      throw failure;
    }
  }

  public Linearization linearization() {
    return linearization;
  }

  public CaseDirectory directory() {
    return directory;
  }

  /** Whether {@link #array} makes an array of this name for this case. */
  public boolean makes(String name) {
    return producer(name) != null;
  }

  /** An array of the case by name; it is freed with this object. */
  public Tensor array(String name) {
    Tensor known = made.get(name);
    if (known == null) {
      Supplier<Tensor> producer = producer(name);
      if (producer == null) {
        throw new IllegalArgumentException("array: this case does not define '" + name + "'");
      }
      known = onHost(producer.get());
      made.put(name, known);
    }
    return known;
  }

  /** The tensor itself where it lies on the CPU, else a copy there in its place. */
  private static Tensor onHost(Tensor tensor) {
    if (tensor.device() == Device.CPU) {
      return tensor;
    }
    try (tensor) {
      return tensor.to(Device.CPU);
    }
  }

  /** What a body makes of an array on the device of the linearization. */
  private Tensor withArray(String name, UnaryOperator<Tensor> body) {
    try (Tensor array = linearization.context().copyOf(array(name))) {
      return body.apply(array);
    }
  }

  /** The same in f64; freed with this object. */
  public Tensor wide(String name) {
    Tensor tensor = array(name);
    if (tensor.dtype() == DType.F64) {
      return tensor;
    }
    return made.computeIfAbsent(name + " in f64", key -> tensor.to(DType.F64));
  }

  /** Mean squared error of the read-out; NaN without one. */
  public double loss() {
    if (directory.has("W_out")) {
      array("err");
    }
    return loss;
  }

  /** The part of the state that an array {@code ntk_block_NAME} is about. */
  StateRestriction block(String array) {
    String name = array.substring(BLOCK.length());
    return new StateSelection(List.of(name), List.of()).of(linearization);
  }

  /** Names of the blocks of a feed-forward model; none for a recurrent one. */
  Set<String> blocks() {
    return model instanceof GraphModel
        ? model.blocks().stream().map(StateBlock::name).collect(toCollection(LinkedHashSet::new))
        : Set.of();
  }

  /** The partial traces of K, NTK, PPt or ntk_block_NAME; freed with this object. */
  public ReducedViews views(String operator) {
    return views.computeIfAbsent(
        operator,
        key -> {
          List<View> all = List.of(View.values());
          if (key.startsWith(BLOCK)) {
            return ReducedViews.ofOperator(
                block(key).tangentKernel(), List.of(View.TEMP, View.SPACE), done -> {});
          }
          return switch (key) {
            case "ntk" ->
                ReducedViews.ofOperator(new NeuralTangentKernel(linearization), all, done -> {});
            case "K" ->
                ReducedViews.ofOperator(new ParameterOperator(linearization), all, done -> {});
            default ->
                ReducedViews.ofTrialwiseFactor(
                    new PropagationOperator(linearization), all, done -> {});
          };
        });
  }

  private Supplier<Tensor> producer(String name) {
    if (name.startsWith("V_")) {
      return () -> linearization.sites(name.substring(2));
    }
    if (name.startsWith("Pcore_probe_")) {
      return () -> corePropagator(name.substring("Pcore_probe_".length()));
    }
    if (name.startsWith("core_adj_")) {
      String family = name.substring("core_adj_".length());
      return () -> withArray("err", new CorePropagator(linearization, family)::rmatvec);
    }
    int split = name.lastIndexOf('_');
    if (split > 0 && name.matches("(ntk|K|PPt)_(temp|space|batch|time|bh|th)")) {
      View view = View.of(name.substring(split + 1));
      return () -> views(name.substring(0, split)).matrix(view).copy();
    }
    if (name.startsWith(BLOCK)) {
      return blockProducer(name);
    }
    if (name.matches("(ntk|ntk_temp|ntk_space|core_gram|K|K_temp|K_space)_eig")) {
      return () -> eigenvalues(wide(name.substring(0, name.length() - "_eig".length())));
    }
    boolean steps = linearization.stepsThroughTime();
    return switch (name) {
      case "h" -> linearization::state;
      case "att" ->
          model instanceof GraphModel graph ? () -> AttentionWeights.of(graph, wide("h")) : null;
      case "P_probe" -> () -> onProbes(new PropagationOperator(linearization), "probe");
      case "Pt_probe" -> () -> onProbes(new PropagationOperator(linearization).adjoint(), "probe");
      case "K_probe" -> () -> onProbes(new ParameterOperator(linearization), "probe");
      case "NTK_probe" -> () -> onProbes(new NeuralTangentKernel(linearization), "probe");
      case "Jt_probe" -> () -> onProbes(new ParameterJacobian(linearization).adjoint(), "probe");
      case "Dt_probe" ->
          () -> onProbes(new LocalParameterJacobian(linearization).adjoint(), "probe");
      case "J_theta_probe" -> () -> onProbes(new ParameterJacobian(linearization), "theta_probe");
      case "Dtheta_probe" ->
          () -> onProbes(new LocalParameterJacobian(linearization), "theta_probe");
      case "ntk" -> () -> new NeuralTangentKernel(linearization).toDense();
      case "K" -> () -> new ParameterOperator(linearization).toDense();
      case "P" -> () -> new PropagationOperator(linearization).toDense();
      case "J_theta" -> () -> new ParameterJacobian(linearization).toDense();
      case "D_theta" -> () -> new LocalParameterJacobian(linearization).toDense();
      case "J_step" -> steps ? () -> linearization.stepJacobians(0, linearization.steps()) : null;
      case "phi" -> steps ? this::transitions : null;
      case "core_gram" -> () -> KroneckerCore.gram(linearization);
      case "P_sv" -> () -> vector(DenseEigen.singularValues(wide("P")));
      case "lyap" -> steps ? this::lyapunov : null;
      case "err" -> this::error;
      case "adj" -> () -> withArray("err", new PropagationOperator(linearization)::rmatvec);
      case "dtheta" ->
          () -> negated(withArray("err", new ParameterJacobian(linearization)::rmatvec));
      case "dh" -> () -> negated(withArray("err", new NeuralTangentKernel(linearization)::matvec));
      default -> null;
    };
  }

  /** ntk_block_NAME, and its views with _temp and _space; null for a block that is not there. */
  private Supplier<Tensor> blockProducer(String array) {
    if (blocks().contains(array.substring(BLOCK.length()))) {
      return () -> block(array).tangentKernel().toDense();
    }
    int split = array.lastIndexOf('_');
    if (!array.matches(".*_(temp|space)")
        || !blocks().contains(array.substring(BLOCK.length(), split))) {
      return null;
    }
    View view = View.of(array.substring(split + 1));
    return () -> views(array.substring(0, split)).matrix(view).copy();
  }

  private Tensor onProbes(LinearOperator operator, String probes) {
    try (Tensor block = directory.read(probes, dtype);
        Tensor there = operator.context().copyOf(block)) {
      return operator.matmat(there);
    }
  }

  private Tensor corePropagator(String family) {
    try (Tensor probe = directory.read("core_probe_" + family, dtype);
        Tensor there = linearization.context().copyOf(probe)) {
      return new CorePropagator(linearization, family).matvec(there);
    }
  }

  /** err = dL/dh: of the read-out's mean squared error where the case has one, else as given. */
  private Tensor error() {
    if (!directory.has("W_out") || !directory.has("targets")) {
      return directory.read("err", dtype);
    }
    try (Tensor weight = directory.read("W_out", dtype);
        Tensor given = directory.read("targets", dtype);
        Tensor targets = linearization.context().copyOf(given);
        Tensor state = linearization.state();
        Readout readout =
            new Readout(linearization.context(), weight, null, model.outputBlock(), dtype)) {
      Readout.Loss result = readout.meanSquaredError(state, targets);
      loss = result.value();
      result.outputError().close();
      return result.error();
    }
  }

  private Tensor negated(Tensor tensor) {
    TensorMath.scale(linearization.context(), -1, tensor);
    return tensor;
  }

  /**
   * Φ(t, s) for the listed pairs, [pair, B, n, n]: column j is P of unit j perturbed at step s,
   * read at step t.
   */
  private Tensor transitions() {
    var pairs = directory.description().path("phi_pairs");
    long n = linearization.units();
    long trials = linearization.trials();
    long steps = linearization.steps();
    Tensor phi = linearization.zeros(Shape.of(pairs.size(), trials, n, n));
    try (Tensor units = linearization.zeros(linearization.stateShape().block(n))) {
      for (int pair = 0; pair < pairs.size(); pair++) {
        long t = pairs.get(pair).get(0).asLong();
        long s = pairs.get(pair).get(1).asLong();
        setUnits(units, s, 1);
        try (Tensor responses = new PropagationOperator(linearization).matmat(units)) {
          Tensor flat = responses.reshape(Shape.of(responses.count()));
          TensorMath.strided( // [j, b, t, i] -> [b, i, j]
              new long[] {trials, n, n},
              1,
              flat.slice(t * n, flat.count() - t * n),
              new long[] {steps * n, 1, trials * steps * n},
              0,
              phi.slice(pair),
              new long[] {n * n, n, 1});
        }
        setUnits(units, s, 0);
      }
    }
    return phi;
  }

  private void setUnits(Tensor units, long step, double value) {
    long n = linearization.units();
    long trial = linearization.steps() * n;
    long trials = linearization.trials();
    Tensor flat = units.reshape(Shape.of(units.count()));
    TensorMath.fill( // [j, b, step, j]
        new long[] {n, trials},
        value,
        flat.slice(step * n, flat.count() - step * n),
        new long[] {trials * trial + 1, trial});
  }

  private Tensor lyapunov() {
    double[][] exponents = linearization.lyapunov().exponents();
    double[] flat = Arrays.stream(exponents).flatMapToDouble(Arrays::stream).toArray();
    return Tensor.of(Shape.of(linearization.trials(), linearization.units()), flat);
  }

  private static Tensor eigenvalues(Tensor matrix) {
    return vector(DenseEigen.values(matrix));
  }

  private static Tensor vector(double[] values) {
    return Tensor.of(Shape.of(values.length), values);
  }

  /** The trainable families of the case's model. */
  public List<WeightFamily> families() {
    return linearization.trainableFamilies();
  }

  @Override
  public void close() {
    made.values().forEach(Tensor::close);
    views.values().forEach(ReducedViews::close);
    linearization.close();
    model.close();
  }
}
