package org.kpflow.cli;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
    requireFraction("--momentum", momentum());
    requireFraction("--betas", betas().get(0));
    requireFraction("--betas", betas().get(1));
    if (!(epsilon() > 0) || Double.isInfinite(epsilon())) {
      throw new InputException("--epsilon: expected a number above 0, got " + epsilon());
    }
    if (interval() < 1) {
      throw new InputException("--update-interval: expected at least 1, got " + interval());
    }
    rules();
  }

  private static void requireFraction(String option, double value) {
    if (!(value >= 0 && value < 1)) {
      throw new InputException(option + ": expected at least 0 and below 1, got " + value);
    }
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
      case momentum -> new Sgd(context, parameters, momentum());
      case adam, adamw ->
          Named.option(
              "--epsilon", // the others are checked
              () -> new Adam(context, parameters, betas().get(0), betas().get(1), epsilon()));
      case shampoo -> new Shampoo(context, parameters, epsilon(), interval());
    };
  }

  private double momentum() {
    return momentum == null ? 0.9 : momentum;
  }

  private List<Double> betas() {
    return betas == null ? List.of(0.9, 0.999) : betas;
  }

  private double epsilon() {
    return epsilon != null ? epsilon : rule == Rule.shampoo ? 1e-4 : 1e-8;
  }

  private long interval() {
    return interval == null ? 1 : interval;
  }

  private double decay() {
    return decay != null ? decay : rule == Rule.adamw ? 0.01 : 0;
  }

  /** What the options are that the optimizer reads, by name; given or not. */
  Map<String, Object> resolved() {
    Map<String, Object> values = new LinkedHashMap<>();
    switch (rule) {
      case momentum -> values.put("--momentum", momentum());
      case adam, adamw -> {
        values.put("--betas", betas().get(0) + "," + betas().get(1));
        values.put("--epsilon", epsilon());
      }
      case shampoo -> {
        values.put("--epsilon", epsilon());
        values.put("--update-interval", interval());
      }
      default -> {}
    }
    values.put("--weight-decay", decay());
    return values;
  }

  /** Learning rate, clipping and decay. */
  TrainingOptions rules() {
    LearningRate scheduled = scheduled();
    TrainingOptions rules =
        TrainingOptions.of(Named.option("--warmup", () -> scheduled.warmedUp(warmup)));
    if (clip != null) {
      rules = rules.clipping(Named.option("--clip", () -> GradientClipping.byNorm(clip)));
    }
    if (clipValue != null) {
      rules =
          rules.clipping(Named.option("--clip-value", () -> GradientClipping.byValue(clipValue)));
    }
    return rules.decay(
        Named.option("--weight-decay", () -> new WeightDecay(decay(), rule == Rule.adamw)));
  }

  private LearningRate scheduled() {
    LearningRate constant = Named.option("--lr", () -> LearningRate.constant(rate));
    String[] parts = schedule.split(":", -1);
    try {
      return switch (parts[0] + parts.length) {
        case "constant1" -> constant;
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
    } catch (IllegalArgumentException wrong) {
      throw new InputException("--schedule " + schedule + ": " + wrong.getMessage(), wrong);
    }
  }
}
