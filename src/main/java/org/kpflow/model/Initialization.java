package org.kpflow.model;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A rule for random weights. What it draws is a function of the sizes and the random stream alone;
 * the arrays are new f64 tensors under the names that the models take, and the caller's to close.
 *
 * @param kind the rule
 * @param gain factor on every matrix; 1 for {@code PYTORCH}
 * @param points m, the fixed points that {@code FIXED_POINTS} and {@code FIXED_CORNERS} plant; 0
 *     for other kinds
 */
public record Initialization(Kind kind, double gain, int points) {

  /** The rules; fan_out and fan_in are the rows and columns of a whole array, all gates. */
  public enum Kind {
    /** PyTorch's defaults: all of a recurrent layer U(±1/√H), of a linear layer U(±1/√fan_in). */
    PYTORCH,
    /** N(0, gain² 2 / (fan_in + fan_out)); biases are zero. */
    XAVIER_NORMAL,
    /** U(±gain √(6 / (fan_in + fan_out))); biases are zero. */
    XAVIER_UNIFORM,
    /**
     * gain times a matrix with orthonormal columns, or rows where these are fewer, uniformly
     * distributed, as PyTorch's {@code orthogonal_}; biases are zero.
     */
    ORTHOGONAL,
    /**
     * Xavier normal, with fixed points under zero input planted in the recurrent weights: {@link
     * FixedPoints}.
     */
    FIXED_POINTS,
    /** The same with 2^m stable points, where planted units do not act on each other. */
    FIXED_CORNERS;

    private boolean plants() {
      return this == FIXED_POINTS || this == FIXED_CORNERS;
    }

    /** The name on the command line. */
    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  public Initialization {
    Checks.notNull(kind, "kind");
    Checks.that(gain > 0 && Double.isFinite(gain), "gain: expected a number above 0, got %s", gain);
    Checks.that(
        kind != Kind.PYTORCH || gain == 1,
        "gain: expected 1 for %s, which has none, got %s",
        kind,
        gain);
    Checks.that(
        kind.plants() ? points >= 1 : points == 0,
        "points: expected %s, got %d",
        kind.plants() ? "at least 1" : "0 for " + kind,
        points);
  }

  /** A rule without fixed points. */
  public static Initialization of(Kind kind, double gain) {
    return new Initialization(kind, gain, 0);
  }

  /** Xavier normal with m planted fixed points. */
  public static Initialization fixedPoints(int points, double gain) {
    return new Initialization(Kind.FIXED_POINTS, gain, points);
  }

  /**
   * The rule of a name, such as {@code xavier_normal}.
   *
   * @throws InputException if there is none
   */
  public static Kind kind(String name) {
    for (Kind kind : Kind.values()) {
      if (kind.toString().equals(name)) {
        return kind;
      }
    }
    throw new InputException(
        "initialization: expected one of "
            + Arrays.toString(Kind.values())
            + ", got '"
            + name
            + "'");
  }

  /**
   * The weights of a {@link RecurrentModel}: {@code weight_ih_l0} [g H, n_in], {@code weight_hh_l0}
   * [g H, H], {@code bias_ih_l0}, {@code bias_hh_l0} [g H], and so on for further layers.
   *
   * @throws IllegalArgumentException for fixed points in a model that has no place for them
   */
  public Map<String, Tensor> recurrent(
      ExecutionContext context, RecurrentSizes sizes, RngState rng) {
    if (kind.plants()) {
      FixedPoints.require(sizes, points);
    }
    long rows = sizes.gates() * sizes.units();
    double bound = 1 / Math.sqrt(sizes.units());
    return collect(
        weights -> {
          for (int l = 0; l < sizes.layers(); l++) {
            RngState stream = rng.split(l);
            long inputs = l == 0 ? sizes.inputs() : sizes.units();
            weights.put(
                "weight_ih_l" + l, array(context, bound, stream.split(0), Shape.of(rows, inputs)));
            Tensor hidden = array(context, bound, stream.split(1), Shape.of(rows, sizes.units()));
            weights.put("weight_hh_l" + l, hidden);
            if (kind.plants()) {
              FixedPoints.plant(hidden, sizes.gates(), points, kind == Kind.FIXED_CORNERS);
            }
            if (sizes.biases()) {
              weights.put("bias_ih_l" + l, array(context, bound, stream.split(2), Shape.of(rows)));
              weights.put("bias_hh_l" + l, array(context, bound, stream.split(3), Shape.of(rows)));
            }
          }
        });
  }

  /**
   * The weights of a linear layer: {@code weight} [outputs, inputs], and {@code bias} [outputs]
   * where asked for. Fixed points are none of its: it is Xavier normal then.
   */
  public Map<String, Tensor> linear(
      ExecutionContext context, long outputs, long inputs, boolean bias, RngState rng) {
    return collect(
        weights -> linear(weights, context, "weight", bias ? "bias" : null, outputs, inputs, rng));
  }

  /**
   * The weights of an {@link Mlp}: {@code mlp_W_l} [n_{l+1}, n_l] and {@code mlp_b_l}.
   *
   * @param widths n_1 = n_in, the layers' widths, and n_out: at least two
   */
  public Map<String, Tensor> mlp(
      ExecutionContext context, long[] widths, boolean biases, RngState rng) {
    Checks.that(
        Checks.notNull(widths, "widths").length >= 2,
        "widths: expected n_in and n_out at least, got %s",
        Arrays.toString(widths));
    return collect(weights -> mlp(weights, context, widths, biases, "", rng));
  }

  /**
   * The weights of an {@link AttentionBlock}: {@code W_q}, {@code W_k}, {@code W_z} [width, n_in],
   * {@code W_o} [width, width], all without biases, and the MLP behind them with biases.
   *
   * @param layers widths of the MLP's layers, the last n_out; empty for no MLP
   */
  public Map<String, Tensor> attentionBlock(
      ExecutionContext context, long inputs, long width, long[] layers, RngState rng) {
    return collect(
        weights -> {
          attention(weights, context, inputs, width, "", rng.split(0));
          mlp(weights, context, prepend(width, layers), true, "", rng.split(1));
        });
  }

  /**
   * The weights of a {@link Transformer}: {@code W_in} [width, n_in] and {@code b_in}, blocks of
   * attention without biases and an MLP of one hidden layer with biases, and layer norms of weight
   * 1 and bias 0, also behind the last block.
   */
  public Map<String, Tensor> transformer(
      ExecutionContext context, long inputs, long width, long hidden, int blocks, RngState rng) {
    Checks.range("blocks", blocks, 1, 1 << 10);
    return collect(
        weights -> {
          linear(weights, context, "W_in", "b_in", width, inputs, rng.split(0));
          for (int l = 0; l < blocks; l++) {
            RngState stream = rng.split(l + 1);
            String suffix = "_l" + l;
            norm(weights, "norm1", suffix, width);
            attention(weights, context, width, width, suffix, stream.split(0));
            norm(weights, "norm2", suffix, width);
            mlp(weights, context, new long[] {width, hidden, width}, true, suffix, stream.split(1));
          }
          norm(weights, "norm", "", width);
        });
  }

  private void attention(
      Map<String, Tensor> weights,
      ExecutionContext context,
      long inputs,
      long width,
      String suffix,
      RngState rng) {
    String[] letters = {"q", "k", "z", "o"};
    for (int i = 0; i < letters.length; i++) {
      String name = "W_" + letters[i] + suffix;
      long from = letters[i].equals("o") ? width : inputs;
      linear(weights, context, name, null, width, from, rng.split(i));
    }
  }

  private void mlp(
      Map<String, Tensor> weights,
      ExecutionContext context,
      long[] widths,
      boolean biases,
      String suffix,
      RngState rng) {
    for (int l = 1; l < widths.length; l++) {
      String bias = biases ? "mlp_b_" + l + suffix : null;
      String weight = "mlp_W_" + l + suffix;
      linear(weights, context, weight, bias, widths[l], widths[l - 1], rng.split(l));
    }
  }

  private static void norm(Map<String, Tensor> weights, String name, String suffix, long width) {
    weights.put(name + "_weight" + suffix, filled(Shape.of(width), 1));
    weights.put(name + "_bias" + suffix, filled(Shape.of(width), 0));
  }

  private void linear(
      Map<String, Tensor> weights,
      ExecutionContext context,
      String weight,
      String bias,
      long outputs,
      long inputs,
      RngState rng) {
    Checks.range("outputs", outputs, 1, Integer.MAX_VALUE);
    Checks.range("inputs", inputs, 1, Integer.MAX_VALUE);
    double bound = 1 / Math.sqrt(inputs); // kaiming_uniform(a = √5): √(6 / ((1 + 5) fan_in))
    weights.put(weight, array(context, bound, rng.split(0), Shape.of(outputs, inputs)));
    if (bias != null) {
      weights.put(bias, array(context, bound, rng.split(1), Shape.of(outputs)));
    }
  }

  /** One array; {@code bound} is PyTorch's, biases of the other rules are zero. */
  private Tensor array(ExecutionContext context, double bound, RngState rng, Shape shape) {
    if (kind == Kind.PYTORCH) {
      return uniform(context, bound, rng, shape);
    }
    if (shape.rank() == 1) {
      return Tensor.zeros(DType.F64, shape);
    }
    double fans = shape.size(0) + shape.size(1);
    return switch (kind) {
      case XAVIER_UNIFORM -> uniform(context, gain * Math.sqrt(6 / fans), rng, shape);
      case ORTHOGONAL -> orthogonal(context, rng, shape);
      default -> gaussian(context, gain * Math.sqrt(2 / fans), rng, shape);
    };
  }

  private static Tensor gaussian(
      ExecutionContext context, double deviation, RngState rng, Shape shape) {
    Tensor drawn = Tensor.zeros(DType.F64, shape);
    rng.fill(context.host(), RngState.Distribution.GAUSSIAN, drawn);
    TensorMath.scale(context.host(), deviation, drawn);
    return drawn;
  }

  private static Tensor uniform(ExecutionContext context, double bound, RngState rng, Shape shape) {
    Tensor drawn = Tensor.zeros(DType.F64, shape);
    rng.fill(context.host(), RngState.Distribution.UNIFORM, drawn);
    DoubleUnaryOperator onto = u -> bound * (2 * u - 1);
    return drawn.copyFrom(Arrays.stream(drawn.toDoubles()).map(onto).toArray());
  }

  /**
   * The Q of A = Q R for a Gaussian A with at least as many rows as columns, signs such that R_ii >
   * 0, which makes Q uniformly distributed; for fewer rows, the transpose of one.
   */
  private Tensor orthogonal(ExecutionContext context, RngState rng, Shape shape) {
    long rows = shape.size(0);
    long columns = shape.size(1);
    long few = Math.min(rows, columns);
    long many = Math.max(rows, columns);
    try (Tensor a = gaussian(context, 1, rng, Shape.of(few, many));
        Tensor q = a.copy()) {
      TensorMath.orthonormalizeRows(q);
      double[] diagonal = TensorMath.dots(context.host(), q, a); // R_ii = <q_i, a_i>
      for (int i = 0; i < few; i++) {
        TensorMath.scale(context.host(), Math.copySign(gain, diagonal[i]), q.slice(i));
      }
      Tensor out = Tensor.zeros(DType.F64, shape);
      long[] from = rows <= columns ? new long[] {many, 1} : new long[] {1, many};
      TensorMath.strided(new long[] {rows, columns}, 1, q, from, 0, out, new long[] {columns, 1});
      return out;
    }
  }

  private static Tensor filled(Shape shape, double value) {
    double[] values = new double[Math.toIntExact(shape.count())];
    Arrays.fill(values, value);
    return Tensor.of(shape, values);
  }

  private static long[] prepend(long first, long[] rest) {
    long[] all = new long[Checks.notNull(rest, "layers").length + 1];
    all[0] = first;
    System.arraycopy(rest, 0, all, 1, rest.length);
    return all;
  }

  private interface Body {
    void put(Map<String, Tensor> weights);
  }

  /** What a body puts into a map; closed where it fails. */
  private static Map<String, Tensor> collect(Body body) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    try {
      body.put(weights);
      return weights;
    } catch (RuntimeException | Error failure) {
      weights.values().forEach(Tensor::close);
      throw failure;
    }
  }
}
