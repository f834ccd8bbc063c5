package org.kpflow.train;

import java.util.Arrays;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.Architecture;
import org.kpflow.model.Initialization;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The weights of a network that is to be trained from nothing, with those of a read-out of its
 * output block.
 *
 * @param type what network
 * @param inputs n_in
 * @param units H of recurrent layers, the width of an attention block or a transformer and of an
 *     MLP's layers
 * @param layers recurrent layers, layers of an MLP, of the MLP behind an attention block (0 for
 *     none), or blocks of a transformer
 * @param bias whether there are biases; attention, transformers and leaky RNNs have those that they
 *     have
 */
public record FreshWeights(Architecture type, long inputs, long units, int layers, boolean bias) {
  private static final int FEED_FORWARD = 4; // width of a transformer's MLP over its units

  /** Refuses a choice that the network does not have. */
  public FreshWeights {
    if (!bias && (type == Architecture.ATTENTION || type == Architecture.TRANSFORMER)) {
      throw new InputException("--no-bias: goes with recurrent networks and mlp, not with " + type);
    }
  }

  /**
   * What was drawn, in f64.
   *
   * @param network by the names of the model's parameters, such as {@code weight_hh_l0}
   * @param readout {@code weight} [n_out, units], and {@code bias} [n_out] if there is one
   */
  public record Drawn(Map<String, Tensor> network, Map<String, Tensor> readout)
      implements AutoCloseable {
    @Override
    public void close() {
      network.values().forEach(Tensor::close);
      readout.values().forEach(Tensor::close);
    }
  }

  /**
   * Random weights; the caller closes them. The same stream gives networks that differ by the rule
   * alone.
   *
   * @param rule of the network's weights; those of the read-out have PyTorch's default
   * @param outputs n_out
   * @param readoutBias whether the read-out has one
   */
  public Drawn draw(
      ExecutionContext context,
      Initialization rule,
      long outputs,
      boolean readoutBias,
      RngState rng) {
    Map<String, Tensor> network = network(context, rule, rng.split(0));
    try {
      Initialization linear = Initialization.of(Initialization.Kind.PYTORCH, 1);
      return new Drawn(network, linear.linear(context, outputs, units, readoutBias, rng.split(1)));
    } catch (RuntimeException | Error failure) {
      network.values().forEach(Tensor::close);
      throw failure;
    }
  }

  /** The same by their names in a checkpoint. */
  public TensorMap named(
      ExecutionContext context, Initialization rule, long outputs, RngState rng) {
    Drawn drawn = draw(context, rule, outputs, bias, rng);
    TensorMap weights = new TensorMap("fresh weights");
    String prefix = Network.prefix(type.isRecurrent());
    drawn.network().forEach((name, tensor) -> weights.put(prefix + name, tensor));
    drawn.readout().forEach((name, tensor) -> weights.put(Network.READOUT + "." + name, tensor));
    return weights;
  }

  private Map<String, Tensor> network(ExecutionContext context, Initialization rule, RngState rng) {
    Checks.that(
        type.isRecurrent() || rule.points() == 0,
        "rule: expected no %s for %s, which is not recurrent",
        rule.kind(),
        type);
    return switch (type) {
      case RNN, NEURAL_ODE -> recurrent(context, rule, 1, bias, rng);
      case LEAKY_RNN -> recurrent(context, rule, 1, false, rng);
      case GRU -> recurrent(context, rule, 3, bias, rng);
      case LSTM -> recurrent(context, rule, 4, bias, rng);
      case MLP -> {
        long[] widths = new long[layers + 1];
        Arrays.fill(widths, units);
        widths[0] = inputs;
        yield rule.mlp(context, widths, bias, rng);
      }
      case ATTENTION -> {
        long[] widths = new long[layers];
        Arrays.fill(widths, units);
        yield rule.attentionBlock(context, inputs, units, widths, rng);
      }
      case TRANSFORMER ->
          rule.transformer(context, inputs, units, FEED_FORWARD * units, layers, rng);
    };
  }

  private Map<String, Tensor> recurrent(
      ExecutionContext context, Initialization rule, int gates, boolean biases, RngState rng) {
    return rule.recurrent(context, new RecurrentSizes(gates, inputs, units, layers, biases), rng);
  }
}
