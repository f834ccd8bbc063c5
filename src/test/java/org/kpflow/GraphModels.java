package org.kpflow;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.AttentionBlock;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Mlp;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Transformer;
import org.kpflow.tensor.Tensor;

/** Random feed-forward models on random inputs, the same for the same seed. */
public final class GraphModels {
  private GraphModels() {}

  /** The architectures, each with another activation and mask. */
  public enum Kind implements ModelKind {
    ATTENTION,
    CAUSAL_ATTENTION,
    MLP_GELU,
    MLP_LINEAR,
    TRANSFORMER,
    CAUSAL_TRANSFORMER,
    SHARED_INPUTS;

    /** Of two heads where they divide the units, and two layers in the MLP. */
    @Override
    public Sample sample(DType dtype, RandomModels.Sizes sizes, long seed) {
      int units = sizes.units();
      return new Sample(
          this,
          dtype,
          new Sizes(
              sizes.trials(), sizes.steps(), sizes.inputs(), units, units % 2 == 0 ? 2 : 1, 2),
          seed);
    }

    private void attention(Weights weights, Sizes sizes, int inputs, int out, String suffix) {
      for (String letter : List.of("q", "k", "z")) {
        weights.linear("W_" + letter + suffix, null, sizes.width(), inputs);
      }
      weights.linear("W_o" + suffix, this == ATTENTION ? null : "b_o" + suffix, out, sizes.width());
    }

    private void layers(Weights weights, Sizes sizes, int inputs, int out, String suffix) {
      for (int l = 1; l <= sizes.layers(); l++) {
        weights.linear(
            "mlp_W_" + l + suffix,
            "mlp_b_" + l + suffix,
            l == sizes.layers() ? out : sizes.width() + 1,
            l == 1 ? inputs : sizes.width() + 1);
      }
    }

    private void norm(Weights weights, String name, int width, String suffix) {
      weights.put(name + "_weight" + suffix, 0.5, width);
      weights.put(name + "_bias" + suffix, 0.3, width);
    }

    private GraphModel model(Sizes sizes, Random random, ModelOptions options) {
      try (Weights given = new Weights(random)) {
        switch (this) {
          case ATTENTION, CAUSAL_ATTENTION -> {
            attention(given, sizes, sizes.inputs(), 2, "");
            layers(given, sizes, 2, 3, "");
            Activation phi = this == ATTENTION ? Activation.RELU : Activation.TANH;
            return AttentionBlock.of(
                given.all, sizes.heads(), this == CAUSAL_ATTENTION, phi, options);
          }
          case MLP_GELU, MLP_LINEAR -> {
            layers(given, new Sizes(1, 1, 1, sizes.width(), 1, 3), sizes.inputs(), 2, "");
            Activation phi = this == MLP_GELU ? Activation.GELU : Activation.LINEAR;
            return Mlp.of(given.all, phi, options);
          }
          case TRANSFORMER, CAUSAL_TRANSFORMER -> {
            boolean two = this == TRANSFORMER; // blocks; the other has one, and no gamma in norm1
            given.linear("W_in", "b_in", sizes.width(), sizes.inputs());
            for (String suffix : two ? List.of("_l0", "_l1") : List.of("_l0")) {
              if (two) {
                norm(given, "norm1", sizes.width(), suffix);
              }
              attention(given, sizes, sizes.width(), sizes.width(), suffix);
              norm(given, "norm2", sizes.width(), suffix);
              Sizes mlp = new Sizes(1, 1, 1, sizes.width(), 1, Math.max(1, sizes.layers()));
              layers(given, mlp, sizes.width(), sizes.width(), suffix);
            }
            norm(given, "norm", sizes.width(), "");
            return Transformer.of(given.all, sizes.heads(), !two, Activation.GELU, 1e-2, options);
          }
          default -> { // nodes that read x and one node several times
            given.linear("W", "b", sizes.width(), sizes.inputs());
            given.put("gamma", 0.5, sizes.inputs());
            given.linear("V", null, sizes.inputs(), sizes.width());
            try (GraphModel.Builder builder =
                GraphModel.builder("shared inputs", sizes.inputs(), options)) {
              return builder
                  .layerNorm("N", "x", "gamma", given.all.get("gamma"), null, null, 1e-2)
                  .linear(
                      "H", "N", "W", given.all.get("W"), "b", given.all.get("b"), Activation.TANH)
                  .attention("A", "H", "H", "H", sizes.heads(), false)
                  .add("D", "A", "A")
                  .linear("Y", "D", "V", given.all.get("V"), null, null, Activation.GELU)
                  .add("R", "Y", "x")
                  .attention("C", "R", "x", "R", 1, true)
                  .build();
            }
          }
        }
      }
    }
  }

  /** B, T, n_in, width of attention and hidden layers (one more), heads, and layers of the MLP. */
  public record Sizes(int trials, int steps, int inputs, int width, int heads, int layers) {
    /** Small enough for dense matrices of everything. */
    public static final Sizes SMALL = new Sizes(2, 3, 2, 4, 2, 2);

    /** Odd sizes, more rows than one panel in a block, more units than a vector. */
    public static final Sizes AWKWARD = new Sizes(3, 7, 5, 21, 3, 2);

    /** One entry in one axis after another. */
    public static List<Sizes> degenerate() {
      return List.of(
          new Sizes(1, 4, 2, 4, 2, 2),
          new Sizes(3, 1, 2, 4, 2, 2),
          new Sizes(2, 3, 1, 4, 4, 1),
          new Sizes(2, 3, 2, 1, 1, 2),
          new Sizes(2, 3, 2, 3, 1, 0),
          new Sizes(1, 1, 1, 1, 1, 1));
    }
  }

  /** All kinds in both types. */
  public static Stream<Arguments> kindsAndTypes() {
    return Stream.of(Kind.values())
        .flatMap(kind -> Stream.of(DType.values()).map(dtype -> Arguments.arguments(kind, dtype)));
  }

  private record Weights(Random random, Map<String, Tensor> all) implements AutoCloseable {
    Weights(Random random) {
      this(random, new LinkedHashMap<>());
    }

    void put(String name, double scale, long... sizes) {
      all.put(name, RandomModels.gaussian(random, scale, sizes));
    }

    void linear(String weight, String bias, int units, int inputs) {
      put(weight, 1 / Math.sqrt(inputs), units, inputs);
      if (bias != null) {
        put(bias, 0.3, units);
      }
    }

    @Override
    public void close() {
      all.values().forEach(Tensor::close);
    }
  }

  /** A feed-forward model with inputs. */
  public static final class Sample extends ModelSample<GraphModel> {
    /** A sample with the given families frozen. */
    public Sample(Kind kind, DType dtype, Sizes sizes, long seed, String... frozen) {
      this(kind, new ModelOptions(dtype, Set.of(frozen), ""), sizes, new Random(seed));
    }

    private Sample(Kind kind, ModelOptions options, Sizes sizes, Random random) {
      super(
          kind.model(sizes, random, options),
          RandomModels.gaussian(random, 1, sizes.trials(), sizes.steps(), sizes.inputs()),
          null);
    }
  }

  /**
   * The state [B T n] of a model, computed here by its formulas alone, where u (or null) is added
   * to what every node gives out: h = f(h) + u.
   */
  public static double[] forward(GraphModel model, Tensor inputs, double[] u) {
    int trials = (int) inputs.shape().size(0);
    int steps = (int) inputs.shape().size(1);
    int rows = trials * steps;
    int n = (int) model.stateUnits();
    double[] state = new double[rows * n];
    Map<String, double[][]> values = new LinkedHashMap<>();
    values.put(GraphModel.INPUT, matrix(inputs.toDoubles(), rows));
    int begin = 0;
    for (GraphModel.Node node : model.nodes()) {
      List<double[][]> in = node.inputs().stream().map(values::get).toList();
      double[][] out =
          switch (node.kind()) {
            case LINEAR -> linear(model, node, in.get(0));
            case LAYER_NORM -> layerNorm(model, node, in.get(0));
            case ATTENTION -> attention(node, in, steps);
            case ADD -> sum(in.get(0), in.get(1));
          };
      for (int r = 0; r < rows; r++) {
        for (int i = 0; i < node.units(); i++) {
          out[r][i] += u == null ? 0 : u[r * n + begin + i];
          state[r * n + begin + i] = out[r][i];
        }
      }
      values.put(node.name(), out);
      begin += (int) node.units();
    }
    return state;
  }

  private static double[][] matrix(double[] flat, int rows) {
    double[][] matrix = new double[rows][];
    for (int r = 0; r < rows; r++) {
      int width = flat.length / rows;
      matrix[r] = Arrays.copyOfRange(flat, r * width, (r + 1) * width);
    }
    return matrix;
  }

  private static double[] weight(GraphModel model, String name, int size, double otherwise) {
    double[] values = new double[size];
    Arrays.fill(values, otherwise);
    return name == null ? values : model.weight(name).toDoubles();
  }

  private static double[][] linear(GraphModel model, GraphModel.Node node, double[][] v) {
    int units = (int) node.units();
    double[][] w = matrix(model.weight(node.weight()).toDoubles(), units);
    double[] b = weight(model, node.bias(), units, 0);
    double[][] out = new double[v.length][units];
    for (int r = 0; r < v.length; r++) {
      for (int i = 0; i < units; i++) {
        double z = b[i];
        for (int j = 0; j < v[r].length; j++) {
          z += w[i][j] * v[r][j];
        }
        out[r][i] =
            switch (node.activation()) {
              case TANH -> Math.tanh(z);
              case RELU -> Math.max(z, 0);
              case GELU -> z * normal(z);
              case LINEAR -> z;
            };
      }
    }
    return out;
  }

  /** Φ(z) = 1/2 + φ(z) (z + z³/3 + z⁵/(3 5) + …). */
  private static double normal(double z) {
    double term = z;
    double sum = z;
    for (int n = 3; Math.abs(term) > 1e-18; n += 2) {
      term *= z * z / n;
      sum += term;
    }
    return 0.5 + sum * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
  }

  private static double[][] layerNorm(GraphModel model, GraphModel.Node node, double[][] v) {
    int units = (int) node.units();
    double[] gamma = weight(model, node.weight(), units, 1);
    double[] beta = weight(model, node.bias(), units, 0);
    double[][] out = new double[v.length][units];
    for (int r = 0; r < v.length; r++) {
      double mean = Arrays.stream(v[r]).average().orElseThrow();
      double variance =
          Arrays.stream(v[r]).map(x -> (x - mean) * (x - mean)).average().orElseThrow();
      for (int i = 0; i < units; i++) {
        out[r][i] = gamma[i] * (v[r][i] - mean) / Math.sqrt(variance + node.epsilon()) + beta[i];
      }
    }
    return out;
  }

  private static double[][] attention(GraphModel.Node node, List<double[][]> in, int steps) {
    int size = (int) node.units() / node.heads();
    double[][] out = new double[in.get(0).length][(int) node.units()];
    for (int r = 0; r < out.length; r++) {
      int first = r / steps * steps;
      int last = node.causal() ? r : first + steps - 1;
      for (int unit = 0; unit < node.units(); unit += size) {
        double total = 0;
        for (int s = first; s <= last; s++) {
          double score = 0;
          for (int i = unit; i < unit + size; i++) {
            score += in.get(0)[r][i] * in.get(1)[s][i] / Math.sqrt(size);
          }
          total += Math.exp(score);
          for (int i = unit; i < unit + size; i++) {
            out[r][i] += Math.exp(score) * in.get(2)[s][i];
          }
        }
        for (int i = unit; i < unit + size; i++) {
          out[r][i] /= total;
        }
      }
    }
    return out;
  }

  private static double[][] sum(double[][] a, double[][] b) {
    double[][] out = new double[a.length][a[0].length];
    for (int r = 0; r < a.length; r++) {
      for (int i = 0; i < a[r].length; i++) {
        out[r][i] = a[r][i] + b[r][i];
      }
    }
    return out;
  }

  /** A Gaussian tensor of the state's shape. */
  public static Tensor probe(Linearization linearization, long seed) {
    Shape state = linearization.stateShape();
    return RandomModels.gaussian(linearization.dtype(), state, seed);
  }
}
