package org.kpflow.cli;

import java.util.Arrays;
import java.util.List;
import org.kpflow.base.InputException;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.train.Adam;
import org.kpflow.train.GradientClipping;
import org.kpflow.train.LearningRate;
import org.kpflow.train.Network;
import org.kpflow.train.Optimizer;
import org.kpflow.train.Parameter;
import org.kpflow.train.Sgd;
import org.kpflow.train.Shampoo;
import org.kpflow.train.TrainingOptions;
import org.kpflow.train.WeightDecay;
import picocli.CommandLine.Option;

/** The options that say how the weights follow the gradient. */
final class OptimizerOptions {
  /** What --optimizer takes. */
  enum Rule {
    sgd,
    momentum,
    adam,
    adamw,
    shampoo
  }

  @Option(
      names = "--optimizer",
      defaultValue = "adam",
      paramLabel = "NAME",
      description = "sgd, momentum, adam, adamw or shampoo (default: ${DEFAULT-VALUE}).")
  private Rule rule;

  @Option(
      names = "--lr",
      defaultValue = "1e-3",
      paramLabel = "X",
      description = "Learning rate (default: ${DEFAULT-VALUE}).")
  private double rate;

  @Option(
      names = "--momentum",
      paramLabel = "X",
      description = "With momentum: what is kept of the velocity (default: 0.9).")
  private Double momentum;

  @Option(
      names = "--betas",
      split = ",",
      paramLabel = "X",
      description = "With adam and adamw: what is kept of the two moments (default: 0.9,0.999).")
  private List<Double> betas;

  @Option(
      names = "--epsilon",
      paramLabel = "X",
      description =
          "With adam and adamw: added to the root (default: 1e-8); with shampoo: L and R begin with it (default: 1e-4).")
  private Double epsilon;

  @Option(
      names = "--update-interval",
      paramLabel = "N",
      description = "With shampoo: steps from roots of L and R to the next (default: 1).")
  private Long interval;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      description =
          "Decay of the weights, by itself with adamw (default: 0.01), in the gradient elsewhere (default: 0).")
  private Double decay;

  @Option(
      names = "--clip",
      paramLabel = "X",
      description = "Longest gradient; a longer one is shortened to it (default: none).")
  private Double clip;

  @Option(
      names = "--clip-value",
      paramLabel = "X",
      description = "Largest entry of the gradient; larger ones are cut to it (default: none).")
  private Double clipValue;

  @Option(
      names = "--schedule",
      defaultValue = "constant",
      paramLabel = "RULE",
      description =
          "constant, step:N:FACTOR, exponential:FACTOR, or cosine:N[:LAST] from --lr to LAST in N steps (default: ${DEFAULT-VALUE}).")
  private String schedule;

  @Option(
      names = "--warmup",
      defaultValue = "0",
      paramLabel = "N",
      description =
          "Steps in which the rate rises to --lr before the schedule (default: ${DEFAULT-VALUE}).")
  private long warmup;

  /** Refuses what does not go with the optimizer or with one another. */
  void check() {
    requireUsed("--momentum", momentum, Rule.momentum);
    requireUsed("--betas", betas, Rule.adam, Rule.adamw);
    requireUsed("--epsilon", epsilon, Rule.adam, Rule.adamw, Rule.shampoo);
    requireUsed("--update-interval", interval, Rule.shampoo);
    if (betas != null && betas.size() != 2) {
      throw new InputException("--betas: expected two numbers such as 0.9,0.999, got " + betas);
    }
    if (clip != null && clipValue != null) {
      throw new InputException("--clip, --clip-value: expected one of them, got both");
    }
    rules();
  }

  private void requireUsed(String option, Object value, Rule... rules) {
    if (value != null && !List.of(rules).contains(rule)) {
      throw new InputException(
          option
              + ": goes with --optimizer "
              + Arrays.toString(rules)
              + ", got --optimizer "
              + rule);
    }
  }

  /** The optimizer; the caller closes it. */
  Optimizer optimizer(ExecutionContext context, Network network) {
    List<Parameter> parameters = network.parameters();
    return switch (rule) {
      case sgd -> new Sgd(context, parameters, 0);
      case momentum -> new Sgd(context, parameters, or(momentum, 0.9));
      case adam, adamw ->
          new Adam(
              context,
              parameters,
              betas == null ? 0.9 : betas.get(0),
              betas == null ? 0.999 : betas.get(1),
              or(epsilon, 1e-8));
      case shampoo ->
          new Shampoo(context, parameters, or(epsilon, 1e-4), interval == null ? 1 : interval);
    };
  }

  /** Learning rate, clipping and decay. */
  TrainingOptions rules() {
    TrainingOptions rules = TrainingOptions.of(scheduled().warmedUp(warmup));
    if (clip != null) {
      rules = rules.clipping(GradientClipping.byNorm(clip));
    }
    if (clipValue != null) {
      rules = rules.clipping(GradientClipping.byValue(clipValue));
    }
    boolean decoupled = rule == Rule.adamw;
    return rules.decay(new WeightDecay(or(decay, decoupled ? 0.01 : 0), decoupled));
  }

  private LearningRate scheduled() {
    String[] parts = schedule.split(":", -1);
    try {
      return switch (parts[0] + parts.length) {
        case "constant1" -> LearningRate.constant(rate);
        case "step3" ->
            LearningRate.stepped(rate, Long.parseLong(parts[1]), Double.parseDouble(parts[2]));
        case "exponential2" -> LearningRate.exponential(rate, Double.parseDouble(parts[1]));
        case "cosine2" -> LearningRate.cosine(rate, 0, Long.parseLong(parts[1]));
        case "cosine3" ->
            LearningRate.cosine(rate, Double.parseDouble(parts[2]), Long.parseLong(parts[1]));
        default -> throw new NumberFormatException();
      };
    } catch (NumberFormatException wrong) {
      throw new InputException(
          "--schedule: expected constant, step:N:FACTOR, exponential:FACTOR or cosine:N[:LAST], got '"
              + schedule
              + "'",
          wrong);
    }
  }

  private static double or(Double given, double otherwise) {
    return given == null ? otherwise : given;
  }
}
