package org.kpflow.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.GraphModels;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.linearize.TrainingPass;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.model.Dual;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.Readout;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.StateBlock;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The gradient of a network's loss against central differences of that loss, for every model. */
class NetworkTest {
  private static final Sizes SIZES = new Sizes(3, 5, 2, 6);
  private static final int OUTPUTS = 2;
  private static final double STEP = 1e-5;
  private static final double TOLERANCE = 1e-7;

  private final ExecutionContext context = ExecutionContext.shared();
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveCount());
  }

  /** A way to get a random model. */
  record Maker(String name, Supplier<ModelSample<?>> sample) {
    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Maker> models() {
    List<Maker> makers = new ArrayList<>();
    ModelKind.all()
        .forEach(kind -> makers.add(new Maker("" + kind, () -> kind.sample(DType.F64, SIZES, 3))));
    ModelOptions f64 = ModelOptions.of(DType.F64);
    for (NeuralOde.Method method : NeuralOde.Method.values()) {
      makers.add(
          new Maker(
              "neural ODE " + method,
              () -> written(1, weights -> new NeuralOde(weights, method, 0.2, 0.7, f64))));
    }
    makers.add(
        new Maker(
            "written cell",
            () -> written(2, weights -> new CellModel("written", new SlowCell(), weights, f64))));
    makers.add(
        new Maker(
            "frozen recurrent weights",
            () -> new RandomModels.Sample(Kind.GRU, DType.F64, SIZES, 4, "weight_hh_l0")));
    makers.add(
        new Maker(
            "frozen lower layer",
            () ->
                new RandomModels.Sample(
                    Kind.LSTM_STACK, DType.F64, SIZES, 4, "weight_ih_l0", "bias_hh_l1")));
    makers.add(
        new Maker(
            "frozen keys",
            () ->
                new GraphModels.Sample(
                    GraphModels.Kind.ATTENTION,
                    DType.F64,
                    GraphModels.Sizes.SMALL,
                    4,
                    "W_k",
                    "mlp_b_1")));
    return makers.stream();
  }

  private static ModelSample<?> written(
      int layers, Function<Map<String, Tensor>, RecurrentModel> maker) {
    return new RandomModels.Sample(
        maker,
        new Random(5),
        random -> RandomModels.weights(1, true, layers, SIZES, random),
        SIZES);
  }

  /** A network around a sample, with trials; closes all of it. */
  private static final class Setting implements AutoCloseable {
    final ModelSample<?> sample;
    final Network network;
    final Trials trials;

    Setting(ExecutionContext context, ModelSample<?> sample, boolean all, DType dtype) {
      this.sample = sample;
      StateBlock block = sample.model.outputBlock();
      try (Tensor weight = RandomModels.gaussian(dtype, Shape.of(OUTPUTS, block.units()), 6);
          Tensor bias = RandomModels.gaussian(dtype, Shape.of(OUTPUTS), 7)) {
        Readout readout = new Readout(context, weight, all ? bias : null, block, dtype);
        network = new Network(context, sample.model, readout, all);
      }
      long count = sample.inputs.shape().size(0);
      long steps = sample.inputs.shape().size(1);
      Tensor mask = null;
      if (all) {
        mask = Tensor.zeros(dtype, count, steps);
        for (long t = 0; t < steps; t++) {
          mask.set(t % 2, 0, t);
        }
        mask.set(1, 1, 0);
      }
      Tensor targets = RandomModels.gaussian(dtype, Shape.of(count, steps, OUTPUTS), 8);
      trials = new Trials(sample.inputs.to(dtype), targets, mask);
    }

    @Override
    public void close() {
      trials.close();
      network.close();
      sample.close();
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void theGradientIsThatOfCentralDifferences(Maker maker) {
    for (boolean all : new boolean[] {true, false}) { // with mask, bias and trained read-out or not
      try (Setting setting = new Setting(context, maker.sample.get(), all, DType.F64)) {
        Network network = setting.network;
        double loss = network.lossAndGradient(setting.trials);
        assertEquals(loss, network.loss(setting.trials));
        assertEquals(meanOverMask(setting), loss, 1e-12 * loss);
        assertEquals(all ? 2 : 0, network.parameters().stream().filter(this::isReadout).count());
        double size = TensorMath.norm(context, network.gradient());
        for (Parameter parameter : network.parameters()) {
          Shape shape = parameter.value().shape();
          try (Tensor direction = RandomModels.gaussian(DType.F64, shape, 9)) {
            double slope = TensorMath.dot(context, direction, parameter.gradient());
            double found = slope(setting, parameter, direction);
            double most = TOLERANCE * size * TensorMath.norm(context, direction);
            assertEquals(found, slope, most, parameter.name());
          }
        }
      }
    }
  }

  private boolean isReadout(Parameter parameter) {
    return parameter.name().startsWith(Network.READOUT);
  }

  private double slope(Setting setting, Parameter parameter, Tensor direction) {
    TensorMath.axpby(context, STEP, direction, 1, parameter.value());
    double ahead = setting.network.loss(setting.trials);
    TensorMath.axpby(context, -2 * STEP, direction, 1, parameter.value());
    double behind = setting.network.loss(setting.trials);
    TensorMath.axpby(context, STEP, direction, 1, parameter.value());
    return (ahead - behind) / (2 * STEP);
  }

  /** The loss, summed up here over the outputs at the last stage of every input. */
  private double meanOverMask(Setting setting) {
    Network network = setting.network;
    StateBlock block = network.readout().block();
    double[] w = network.readout().weight().toDoubles();
    Tensor bias = network.readout().bias();
    double sum = 0;
    long entries = 0;
    try (TrainingPass pass = new TrainingPass(context, network.model());
        Tensor outputs = network.outputs(setting.trials.inputs())) {
      Tensor state = pass.run(setting.trials.inputs());
      long stages = network.model().stepsPerInput();
      for (long b = 0; b < setting.trials.count(); b++) {
        for (long t = 0; t < outputs.shape().size(1); t++) {
          if (setting.trials.mask() != null && setting.trials.mask().get(b, t) == 0) {
            continue;
          }
          for (int o = 0; o < OUTPUTS; o++) {
            double y = bias == null ? 0 : bias.get(o);
            for (int i = 0; i < block.units(); i++) {
              double h = state.get(b, stages * (t + 1) - 1, block.begin() + i);
              y += w[o * (int) block.units() + i] * h;
            }
            assertEquals(y, outputs.get(b, t, o), 1e-12);
            sum += Math.pow(y - setting.trials.targets().get(b, t, o), 2);
            entries++;
          }
        }
      }
    }
    return sum / entries;
  }

  /** Enough rows and units for several tasks of every kernel. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void theBitsDoNotDependOnTheThreads(ModelKind kind) {
    for (DType dtype : DType.values()) {
      List<double[]> gradients = new ArrayList<>();
      for (int threads : new int[] {1, 2, 3}) {
        try (ExecutionContext own = ExecutionContext.withThreads(threads);
            Setting setting =
                new Setting(own, kind.sample(dtype, new Sizes(50, 9, 3, 12), 2), true, dtype)) {
          setting.network.lossAndGradient(setting.trials);
          gradients.add(setting.network.gradient().toDoubles());
        }
      }
      assertArrayEquals(gradients.get(0), gradients.get(1));
      assertArrayEquals(gradients.get(0), gradients.get(2));
    }
  }

  /** A run in the memory of others, larger and smaller ones, has the bits of one of its own. */
  @ParameterizedTest
  @MethodSource("models")
  void whatRanBeforeLeavesNoTrace(Maker maker) {
    try (Setting setting = new Setting(context, maker.sample.get(), true, DType.F64);
        Trials few = setting.trials.slice(1, 1)) {
      Network network = setting.network;
      network.lossAndGradient(setting.trials);
      double[] whole = network.gradient().toDoubles();
      double part = network.lossAndGradient(few);
      double[] partial = network.gradient().toDoubles();
      network.lossAndGradient(setting.trials);
      assertArrayEquals(whole, network.gradient().toDoubles());
      try (Setting fresh = new Setting(context, maker.sample.get(), true, DType.F64)) {
        assertEquals(part, fresh.network.lossAndGradient(few));
        assertArrayEquals(partial, fresh.network.gradient().toDoubles());
      }
    }
  }

  @Test
  void aRunThatOverflowsLeavesWeightsAndNetworkUsable() {
    ModelSample<?> sample = Kind.RNN_LINEAR.sample(DType.F32, SIZES, 1);
    try (Setting setting = new Setting(context, sample, true, DType.F32);
        Sgd sgd = new Sgd(context, setting.network.parameters(), 0);
        Tensor kept = sample.model.weight("weight_hh_l0").copy()) {
      Network network = setting.network;
      double loss = network.lossAndGradient(setting.trials);
      TensorMath.scale(context, 1e20, sample.model.weight("weight_hh_l0"));
      double[] weights = sample.model.weight("weight_hh_l0").toDoubles();
      Trainer trainer =
          new Trainer(
              network,
              sgd,
              step -> setting.trials.to(DType.F32),
              TrainingOptions.of(LearningRate.constant(0.1)),
              0);
      refused(NumericalException.class, trainer::advance, "not finite");
      assertEquals(0, trainer.step());
      assertArrayEquals(weights, sample.model.weight("weight_hh_l0").toDoubles());
      sample.model.weight("weight_hh_l0").copyFrom(kept);
      assertEquals(loss, network.lossAndGradient(setting.trials));
    }
  }

  /** The norm is that of the whole gradient, and decay comes after clipping. */
  @Test
  void aStepClipsThenDecaysThenFollowsTheOptimizer() {
    try (Setting setting =
        new Setting(context, Kind.GRU.sample(DType.F64, SIZES, 1), true, DType.F64)) {
      Network network = setting.network;
      network.lossAndGradient(setting.trials);
      double[] gradient = network.gradient().toDoubles();
      double norm = TensorMath.norm(context, network.gradient());
      double[] weights = values(network);
      double rate = 0.3;
      double lambda = 0.01;
      double[] expected = new double[weights.length];
      Arrays.setAll(
          expected,
          i ->
              weights[i] - rate * (gradient[i] * 0.5 * norm / (norm + 1e-6) + lambda * weights[i]));
      TrainingOptions options =
          TrainingOptions.of(LearningRate.constant(rate))
              .clipping(GradientClipping.byNorm(0.5 * norm))
              .decay(new WeightDecay(lambda, false));
      try (Sgd sgd = new Sgd(context, network.parameters(), 0)) {
        new Trainer(network, sgd, step -> setting.trials.to(DType.F64), options, 0).advance();
      }
      assertArrayEquals(expected, values(network), 1e-12);
    }
  }

  private static double[] values(Network network) {
    return network.parameters().stream()
        .flatMapToDouble(parameter -> Arrays.stream(parameter.value().toDoubles()))
        .toArray();
  }

  @Test
  void whatDoesNotGoTogetherIsRefused() {
    Setting setting = new Setting(context, Kind.GRU.sample(DType.F64, SIZES, 1), true, DType.F64);
    Network network = setting.network;
    Tensor inputs = setting.trials.inputs();
    Tensor targets = setting.trials.targets();
    try (Trials narrow = setting.trials.to(DType.F32);
        Tensor three = Tensor.zeros(DType.F64, 3, 5, 3);
        Tensor halves = Tensor.of(Shape.of(3, 5), filled(15, 0.5));
        Tensor none = Tensor.zeros(DType.F64, 3, 5)) {
      refused(() -> network.loss(narrow), "f64", "f32");
      refused(() -> network.loss(new Trials(three, targets, null)), "inputs", "[3, 5, 3]");
      refused(() -> network.loss(new Trials(inputs, three, null)), "targets", "[3, 5, 3]");
      refused(() -> network.loss(new Trials(inputs, targets, halves)), "mask", "0 or 1", "0.5");
      refused(() -> network.loss(new Trials(inputs, targets, none)), "mask", "at least one step");
      refused(() -> network.outputs(three), "inputs", "[3, 5, 3]");
      StateBlock beyond = new StateBlock("h", 3, 6);
      try (Tensor weight = Tensor.zeros(DType.F64, 2, 6);
          Readout odd = new Readout(context, weight, null, beyond, DType.F64);
          Readout other =
              new Readout(context, weight, null, setting.sample.model.outputBlock(), DType.F32)) {
        refused(() -> new Network(context, setting.sample.model, odd, true), "readout", "6 units");
        refused(() -> new Network(context, setting.sample.model, other, true), "readout", "f32");
      }
      try (TrainingPass pass = new TrainingPass(context, setting.sample.model)) {
        refused(() -> pass.parameterVjp(three, three), "a run before it");
        pass.run(inputs);
        refused(() -> pass.parameterVjp(three, three), "error", "[3, 5, 3]");
      }
      setting.close();
      closed(() -> network.loss(setting.trials));
    }
  }

  private static double[] filled(int count, double value) {
    double[] values = new double[count];
    Arrays.fill(values, value);
    return values;
  }

  /** h' = h + 0.3 (tanh(q + p) - h), in two components: h and the last change. */
  private static final class SlowCell implements CellFunction {
    @Override
    public int gates() {
      return 1;
    }

    @Override
    public int components() {
      return 2;
    }

    @Override
    public List<String> componentNames() {
      return List.of("h", "change");
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      Dual change = q[0].plus(p[0]).tanh().minus(previous[0]).plus(previous[1]).times(0.3);
      return new Dual[] {previous[0].plus(change), change};
    }
  }

  @Test
  void theGradientIsThatOfTheModelsType() {
    try (Setting narrow =
            new Setting(context, Kind.LSTM.sample(DType.F32, SIZES, 1), true, DType.F32);
        Setting wide =
            new Setting(context, Kind.LSTM.sample(DType.F64, SIZES, 1), true, DType.F64)) {
      narrow.network.lossAndGradient(narrow.trials);
      wide.network.lossAndGradient(wide.trials);
      double[] expected = wide.network.gradient().toDoubles();
      double[] found = narrow.network.gradient().toDoubles();
      for (int i = 0; i < expected.length; i++) {
        assertTrue(Math.abs(expected[i] - found[i]) < 1e-5, "entry " + i);
      }
    }
  }

  /** The loss is a mean over trials: so is the gradient, which is summed in blocks of rows. */
  @Test
  void theGradientOfManyRowsIsTheMeanOfThoseOfSingleTrials() {
    int trials = 60;
    int steps = 80;
    assertTrue(trials * steps > 4096);
    Shape gates = Shape.of(12, 3);
    try (Tensor input = RandomModels.gaussian(DType.F64, gates, 1);
        Tensor hidden = RandomModels.gaussian(DType.F64, Shape.of(12, 4), 2);
        Tensor output = RandomModels.gaussian(DType.F64, Shape.of(OUTPUTS, 4), 3);
        Tensor bias = RandomModels.gaussian(DType.F64, Shape.of(OUTPUTS), 4);
        Network network = network(input, hidden, output, bias);
        Trials all =
            new Trials(
                RandomModels.gaussian(DType.F64, Shape.of(trials, steps, 3), 5),
                RandomModels.gaussian(DType.F64, Shape.of(trials, steps, OUTPUTS), 6),
                null)) {
      double[] mean = new double[(int) network.gradient().count()];
      double loss = 0;
      for (int b = 0; b < trials; b++) {
        try (Trials one = all.slice(b, 1)) {
          loss += network.lossAndGradient(one) / trials;
        }
        double[] part = network.gradient().toDoubles();
        for (int i = 0; i < mean.length; i++) {
          mean[i] += part[i] / trials;
        }
      }
      assertEquals(loss, network.lossAndGradient(all), 1e-12 * loss);
      double largest = Arrays.stream(mean).map(Math::abs).max().orElseThrow();
      assertArrayEquals(mean, network.gradient().toDoubles(), 1e-12 * largest);
    }
  }

  private Network network(Tensor input, Tensor hidden, Tensor output, Tensor bias) {
    Gru gru =
        new Gru(Map.of("weight_ih_l0", input, "weight_hh_l0", hidden), ModelOptions.of(DType.F64));
    return new Network(
        context, gru, new Readout(context, output, bias, gru.outputBlock(), DType.F64), true);
  }
}
