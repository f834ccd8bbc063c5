package org.kpflow.cli;

import org.kpflow.tensor.ExecutionContext;
import org.kpflow.train.LearningRate;
import org.kpflow.train.Network;
import org.kpflow.train.Optimizer;
import org.kpflow.train.Sgd;
import picocli.CommandLine.Option;

/** The options that say how the weights follow the gradient. */
final class OptimizerOptions {
  /** What --optimizer takes. */
  enum Rule {
    sgd,
    momentum
  }

  @Option(
      names = "--optimizer",
      defaultValue = "sgd",
      paramLabel = "NAME",
      description = "sgd, momentum, adam, adamw or shampoo (default: ${DEFAULT-VALUE}).")
  private Rule rule;

  @Option(
      names = "--lr",
      defaultValue = "1e-3",
      paramLabel = "X",
      description = "Learning rate (default: ${DEFAULT-VALUE}).")
  private double rate;

  @Option(names = "--momentum", paramLabel = "X", description = "Of momentum (default: 0.9).")
  private Double momentum;

  Optimizer optimizer(ExecutionContext context, Network network) {
    return new Sgd(
        context, network.parameters(), rule == Rule.sgd ? 0 : momentum == null ? 0.9 : momentum);
  }

  LearningRate rate() {
    return LearningRate.constant(rate);
  }
}
