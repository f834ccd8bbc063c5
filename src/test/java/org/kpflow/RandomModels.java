package org.kpflow;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.model.Activation;
import org.kpflow.model.Gru;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.Lstm;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.Rnn;
import org.kpflow.tensor.Tensor;

/** Random recurrent models on random inputs, the same for the same seed. */
public final class RandomModels {
  /** dt of the leaky cell. */
  public static final double DT = 0.3;

  private RandomModels() {}

  /** The cells, with biases where they may have them unless the name says otherwise, and stacks. */
  public enum Kind implements ModelKind {
    RNN_TANH(1, 1, true, 1),
    RNN_RELU(1, 1, true, 1),
    RNN_GELU(1, 1, true, 1),
    RNN_LINEAR(1, 1, true, 1),
    LEAKY(1, 1, false, 1),
    GRU(3, 1, true, 1),
    GRU_NO_BIAS(3, 1, false, 1),
    LSTM(4, 2, true, 1),
    RNN_TANH_STACK(1, 1, true, 3),
    LEAKY_STACK(1, 1, false, 2),
    GRU_STACK(3, 1, true, 2),
    LSTM_STACK(4, 2, true, 2);

    /** g, gate blocks. */
    public final int gates;

    /** m, state entries per unit. */
    public final int components;

    /** Whether there are biases. */
    public final boolean biases;

    /** L. */
    public final int layers;

    Kind(int gates, int components, boolean biases, int layers) {
      this.gates = gates;
      this.components = components;
      this.biases = biases;
      this.layers = layers;
    }

    /** Whether the site is tanh(h) and not h. */
    public boolean hasTanhSite() {
      return this == LEAKY || this == LEAKY_STACK;
    }

    @Override
    public Sample sample(DType dtype, Sizes sizes, long seed) {
      return new Sample(this, dtype, sizes, seed);
    }

    /** A model of this kind. */
    public RecurrentModel model(Map<String, Tensor> weights, ModelOptions options) {
      return switch (this) {
        case RNN_TANH, RNN_TANH_STACK -> new Rnn(weights, Activation.TANH, options);
        case RNN_RELU -> new Rnn(weights, Activation.RELU, options);
        case RNN_GELU -> new Rnn(weights, Activation.GELU, options);
        case RNN_LINEAR -> new Rnn(weights, Activation.LINEAR, options);
        case LEAKY, LEAKY_STACK -> new LeakyRnn(weights, Activation.TANH, DT, options);
        case GRU, GRU_NO_BIAS, GRU_STACK -> new Gru(weights, options);
        case LSTM, LSTM_STACK -> new Lstm(weights, options);
      };
    }
  }

  /** B, T, n_in and H. */
  public record Sizes(int trials, int steps, int inputs, int units) {
    /** An odd size in every axis. */
    public static final Sizes AWKWARD = new Sizes(3, 7, 5, 33);

    /** Small enough for dense matrices of everything. */
    public static final Sizes SMALL = new Sizes(3, 4, 2, 5);
  }

  /** All kinds in both types. */
  public static Stream<Arguments> kindsAndTypes() {
    return Stream.of(Kind.values())
        .flatMap(kind -> Stream.of(DType.values()).map(dtype -> Arguments.arguments(kind, dtype)));
  }

  /** Weights in f64 by PyTorch's names, of order 1 / sqrt(H). */
  public static Map<String, Tensor> weights(Kind kind, Sizes sizes, Random random) {
    return weights(kind.gates, kind.biases, kind.layers, sizes, random);
  }

  /** The same for layers of g gate blocks. */
  public static Map<String, Tensor> weights(
      int gates, boolean biases, int layers, Sizes sizes, Random random) {
    int rows = gates * sizes.units();
    double scale = 0.9 / Math.sqrt(sizes.units());
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (int l = 0; l < layers; l++) {
      weights.put(
          "weight_ih_l" + l,
          l == 0
              ? gaussian(random, 0.7, rows, sizes.inputs())
              : gaussian(random, 1.5 * scale, rows, sizes.units()));
      weights.put("weight_hh_l" + l, gaussian(random, scale, rows, sizes.units()));
      if (biases) {
        weights.put("bias_ih_l" + l, gaussian(random, 0.3, rows));
        weights.put("bias_hh_l" + l, gaussian(random, 0.3, rows));
      }
    }
    return weights;
  }

  /** An f64 tensor of Gaussian numbers times a scale. */
  public static Tensor gaussian(Random random, double scale, long... sizes) {
    double[] values = new double[(int) Shape.of(sizes).count()];
    Arrays.setAll(values, i -> scale * random.nextGaussian());
    return Tensor.of(Shape.of(sizes), values);
  }

  /** A tensor of Gaussian numbers. */
  public static Tensor gaussian(DType dtype, Shape shape, long seed) {
    try (Tensor wide = gaussian(new Random(seed), 1, shape.sizes())) {
      return wide.to(dtype);
    }
  }

  /** A recurrent model with inputs and an initial state that is not zero. */
  public static final class Sample extends ModelSample<RecurrentModel> {
    /** A sample with the given families frozen. */
    public Sample(Kind kind, DType dtype, Sizes sizes, long seed, String... frozen) {
      this(kind, kind.layers, dtype, sizes, seed, frozen);
    }

    /** A sample with another number of layers. */
    public Sample(Kind kind, int layers, DType dtype, Sizes sizes, long seed, String... frozen) {
      this(
          weights -> kind.model(weights, new ModelOptions(dtype, Set.of(frozen), "")),
          new Random(seed),
          random -> weights(kind.gates, kind.biases, layers, sizes, random),
          sizes);
    }

    /** A sample of any model of weights in f64, which stay open until the model is made. */
    public Sample(
        Function<Map<String, Tensor>, RecurrentModel> maker,
        Random random,
        Function<Random, Map<String, Tensor>> drawn,
        Sizes sizes) {
      this(made(maker, drawn.apply(random)), random, sizes);
    }

    private Sample(RecurrentModel model, Random random, Sizes sizes) {
      super(
          model,
          gaussian(random, 1, sizes.trials(), sizes.steps(), sizes.inputs()),
          gaussian(random, 0.5, sizes.trials(), model.stateUnits()));
    }

    private static RecurrentModel made(
        Function<Map<String, Tensor>, RecurrentModel> maker, Map<String, Tensor> weights) {
      RecurrentModel model = maker.apply(weights);
      weights.values().forEach(Tensor::close);
      return model;
    }
  }
}
