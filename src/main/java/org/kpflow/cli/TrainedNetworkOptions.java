package org.kpflow.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.loading.Architecture;
import org.kpflow.loading.LoadedModel;
import org.kpflow.loading.ModelDescription;
import org.kpflow.model.Activation;
import org.kpflow.model.Initialization;
import org.kpflow.model.Readout;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.train.FreshWeights;
import org.kpflow.train.Network;
import org.kpflow.train.TrainingData;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** The options that say with which weights a network begins its training, and which it keeps. */
final class TrainedNetworkOptions {
  private static final int UNITS = 256;
  private static final List<String> LOADING = List.of("--prefix", "--ignore", "--readout");
  private static final List<String> DRAWING =
      List.of("--units", "--layers", "--no-bias", "--init", "--gain", "--fixed-points");

  @Option(
      names = "--units",
      paramLabel = "N",
      description = "Units of a layer (default: the model file's, or 256).")
  private Integer units;

  @Option(
      names = "--layers",
      paramLabel = "N",
      description =
          "Recurrent layers, layers of the MLP, or transformer blocks (default: the model file's, or 1; 0 behind attention).")
  private Integer layers;

  @Option(names = "--no-bias", description = "No biases, in the read-out either.")
  private boolean noBias;

  @Option(
      names = "--init",
      defaultValue = "pytorch",
      paramLabel = "NAME",
      description =
          "The network's weights by pytorch, xavier_normal, xavier_uniform, orthogonal, fixed_points or fixed_corners; the read-out's are pytorch's (default: ${DEFAULT-VALUE}).")
  private String init;

  @Option(
      names = "--gain",
      defaultValue = "1",
      paramLabel = "X",
      description = "Factor on matrices by --init, but for pytorch (default: ${DEFAULT-VALUE}).")
  private double gain;

  @Option(
      names = "--fixed-points",
      defaultValue = "0",
      paramLabel = "N",
      description = "With --init fixed_points or fixed_corners: how many units are planted.")
  private int fixedPoints;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description =
          "Begin with the weights of a checkpoint, and with its read-out, in place of --units, --layers, --no-bias, --init, --gain and --fixed-points.")
  private Path weights;

  @Option(
      names = "--readout",
      paramLabel = "NAME",
      description = "With --weights: the read-out in them (default: found by shape).")
  private String readout;

  @Option(names = "--freeze-readout", description = "Train the network, not its read-out.")
  private boolean freezeReadout;

  /** The network to train; the caller closes it. */
  Network network(
      ExecutionContext context,
      ModelDescription description,
      TrainingData data,
      RngState seed,
      DType dtype) {
    if (weights == null) {
      FreshWeights fresh = fresh(description, data.inputs());
      Initialization rule = rule();
      requireFixedPoints(description, rule);
      ModelDescription own = stored(description);
      try (TensorMap drawn = fresh.named(context, rule, data.outputs(), seed)) {
        return network(context, own, drawn, Network.READOUT, dtype);
      }
    }
    try (TensorMap stored = WeightFile.read(weights, null)) {
      String layer = readout;
      if (layer == null) {
        try (LoadedModel probe = NetworkOptions.load(description, stored, dtype, null)) {
          layer = ReadoutLayer.find(stored, probe, data.outputs());
        }
      }
      if (layer == null) {
        throw new InputException(
            weights + ": expected a read-out NAME.weight; name it with --readout");
      }
      return network(context, description, stored, layer, dtype);
    }
  }

  private Initialization rule() {
    Initialization.Kind kind = Named.option("--init", () -> Initialization.kind(init));
    boolean plants = init.startsWith("fixed");
    if (plants ? fixedPoints < 1 : fixedPoints != 0) {
      throw new InputException(
          "--fixed-points: expected "
              + (plants ? "at least 1" : "0")
              + " with --init "
              + init
              + ", got "
              + fixedPoints);
    }
    return Named.option("--gain", () -> new Initialization(kind, gain, fixedPoints));
  }

  /** Planted points are fixed ones of h = tanh(W h) and of the GRU alone. */
  private static void requireFixedPoints(ModelDescription description, Initialization rule) {
    boolean known =
        switch (description.type()) {
          case RNN, LEAKY_RNN -> description.activation(Activation.TANH) == Activation.TANH;
          case NEURAL_ODE -> Arrays.stream(description.tau()).allMatch(tau -> tau == 1);
          case GRU -> true;
          default -> false;
        };
    if (rule.points() > 0 && !known) {
      throw new InputException(
          "--init "
              + rule.kind()
              + ": goes with gru, with rnn and leaky_rnn of activation tanh, and with neural_ode of"
              + " tau 1; got "
              + description.type());
    }
  }

  /** Refuses what has no effect with the other options. */
  void check(ParseResult given) {
    List<String> without = weights == null ? LOADING : DRAWING;
    for (String option : without) {
      if (given.hasMatchedOption(option)) {
        throw new InputException(
            option
                + (weights == null
                    ? ": goes with --weights; new weights have names of their own"
                    : ": expected without --weights; the file has the weights"));
      }
    }
  }

  private Network network(
      ExecutionContext context,
      ModelDescription description,
      TensorMap stored,
      String layer,
      DType dtype) {
    LoadedModel loaded = NetworkOptions.load(description, stored, dtype, layer);
    try {
      Readout output = ReadoutLayer.read(context, stored, loaded, layer, dtype);
      return new Network(context, loaded.model(), output, !freezeReadout);
    } catch (RuntimeException fault) {
      loaded.close();
      throw fault;
    }
  }

  /** How the network is described beside its checkpoints. */
  static ModelDescription stored(ModelDescription description) {
    return description.stored(Network.prefix(description.type().isRecurrent()));
  }

  private FreshWeights fresh(ModelDescription description, long inputs) {
    Architecture type = description.type();
    int fewest = type == Architecture.ATTENTION ? 0 : 1;
    int depth = chosen("--layers", layers, description.layers(), fewest);
    int width = chosen("--units", units, description.units(), UNITS);
    if (depth < fewest || width < 1) {
      throw new InputException(
          String.format(
              "--layers, --units: expected at least %d and 1, got %d and %d",
              fewest, depth, width));
    }
    return new FreshWeights(type, inputs, width, depth, !noBias);
  }

  private static int chosen(String option, Integer given, Integer described, int otherwise) {
    if (given != null && described != null && !given.equals(described)) {
      throw new InputException(
          option + ": expected " + described + " as in the model file, got " + given);
    }
    return given != null ? given : described != null ? described : otherwise;
  }

  /** What training.json says of it. */
  static Map<String, Object> facts(Network network) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("model", network.model().toString());
    facts.put("dtype", network.model().dtype().toString());
    return facts;
  }
}
