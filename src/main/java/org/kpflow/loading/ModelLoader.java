package org.kpflow.loading;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.Finite;
import org.kpflow.io.TensorMap;
import org.kpflow.loading.ModelDescription.Key;
import org.kpflow.model.Activation;
import org.kpflow.model.AttentionBlock;
import org.kpflow.model.Gru;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.Lstm;
import org.kpflow.model.Mlp;
import org.kpflow.model.Model;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.Rnn;
import org.kpflow.model.StateBlock;
import org.kpflow.model.Transformer;
import org.kpflow.tensor.Tensor;

/**
 * Makes a model of a checkpoint: finds its parameters by PyTorch's names, by those of kpflow, or by
 * the description's own, and checks that nothing of the model is left over.
 */
public final class ModelLoader {
  private final ModelDescription description;
  private final TensorMap file;
  private final Checkpoint checkpoint;
  private final FoundParameters parameters;

  private ModelLoader(ModelDescription description, TensorMap file) {
    this.description = description;
    this.file = file;
    this.checkpoint = Checkpoint.of(file, description);
    if (description.names() == null) {
      checkpoint.refuseUnsupported();
    }
    this.parameters =
        switch (description.type()) {
          case RNN, LEAKY_RNN, GRU, LSTM, NEURAL_ODE ->
              RecurrentNames.find(checkpoint, description);
          case MLP -> LinearStack.find(checkpoint, description);
          case ATTENTION -> AttentionNames.find(checkpoint, description);
          case TRANSFORMER -> TransformerNames.find(checkpoint, description);
        };
  }

  /**
   * The model of a description with the weights of a file, which are copied; the file stays the
   * caller's.
   *
   * @param dtype the type to compute in
   * @param readout the name of the read-out's layer, so that it is not taken for an unknown part of
   *     the model, or null
   * @throws InputException if a parameter is missing, is not known, is not finite or does not fit,
   *     or if the description contradicts the weights
   */
  public static LoadedModel load(
      ModelDescription description, TensorMap file, DType dtype, String readout) {
    Checks.notNull(description, "description");
    Checks.notNull(file, "weights");
    ModelLoader loader = new ModelLoader(description, file);
    loader.requireFinite();
    Model model = loader.build(dtype);
    try {
      loader.checkSizes(model);
      loader.checkState(model);
      loader.refuseUnknown(model, readout);
      return new LoadedModel(
          model,
          description,
          Set.copyOf(loader.parameters.prefixes()),
          Map.copyOf(loader.parameters.sources()),
          loader.layers(),
          loader.unused(),
          loader.suspicious(model));
    } catch (RuntimeException | Error failure) {
      model.close();
      throw failure;
    }
  }

  private Model build(DType dtype) {
    Map<String, Tensor> weights = parameters.tensors();
    ModelOptions options = new ModelOptions(dtype, description.freeze(), "");
    int heads = Key.HEADS.isTakenBy(description.type()) ? description.heads() : 0;
    boolean causal = description.causal();
    try {
      return switch (description.type()) {
        case RNN -> new Rnn(weights, description.activation(Activation.TANH), options);
        case LEAKY_RNN ->
            new LeakyRnn(
                weights, description.activation(Activation.TANH), description.dt(), options);
        case GRU -> new Gru(weights, options);
        case LSTM -> new Lstm(weights, options);
        case NEURAL_ODE ->
            new NeuralOde(
                weights, description.method(), description.dt(), description.tau(), options);
        case MLP -> Mlp.of(weights, activationOfMlp(), options);
        case ATTENTION -> AttentionBlock.of(weights, heads, causal, activationOfMlp(), options);
        case TRANSFORMER ->
            Transformer.of(
                weights,
                heads,
                causal,
                description.activation(Activation.RELU),
                description.epsilon(),
                options);
      };
    } catch (InputException | IllegalArgumentException fault) {
      throw explained(fault);
    }
  }

  /** An nn.Sequential does not show what stands between its layers, so it has to be said. */
  private Activation activationOfMlp() {
    Activation activation = description.activation(null);
    if (activation == null && parameters.tensors().containsKey("mlp_W_2")) {
      throw description.fault(
          Key.ACTIVATION, "tanh, relu, gelu or linear: what stands between the linear layers");
    }
    return activation == null ? Activation.LINEAR : activation;
  }

  /** The fault with the file it is in: the description's, or that of the weights. */
  private InputException explained(RuntimeException fault) {
    String message = String.valueOf(fault.getMessage());
    if (message.startsWith(description.source() + ": ")) {
      return new InputException(message, fault);
    }
    String subject = message.substring(0, Math.max(0, message.indexOf(':')));
    if (ModelDescription.KEYS.contains(subject)) {
      return new InputException(description.source() + ": " + message, fault);
    }
    String stored = parameters.sources().get(subject);
    return new InputException(
        checkpoint.source()
            + ": "
            + message
            + (stored == null || stored.equals(subject) ? "" : " (in the file, " + stored + ")"),
        fault);
  }

  /** Layers by the parameter that every one of them has. */
  private int layers() {
    String name =
        switch (description.type()) {
          case RNN, LEAKY_RNN, GRU, LSTM, NEURAL_ODE -> "weight_hh_l\\d+";
          case MLP, ATTENTION -> "mlp_W_\\d+";
          case TRANSFORMER -> "W_q_l\\d+";
        };
    return (int)
        parameters.tensors().keySet().stream().filter(found -> found.matches(name)).count();
  }

  private void checkSizes(Model model) {
    check(Key.LAYERS, layers(), null);
    String first =
        switch (description.type()) {
          case RNN, LEAKY_RNN, GRU, LSTM, NEURAL_ODE -> "weight_ih_l0";
          case MLP -> "mlp_W_1";
          case ATTENTION -> "W_q";
          case TRANSFORMER -> parameters.tensors().containsKey("W_in") ? "W_in" : "W_q_l0";
        };
    check(Key.INPUTS, model.inputs(), first);
    if (description.type().isRecurrent()) {
      check(Key.UNITS, size("weight_hh_l0", 1), "weight_hh_l0");
    } else if (description.type() == Architecture.ATTENTION) {
      check(Key.UNITS, size("W_q", 0), "W_q");
    } else if (description.type() == Architecture.TRANSFORMER) {
      check(Key.UNITS, size("W_q_l0", 1), "W_q_l0");
    }
  }

  private void requireFinite() {
    for (String name : parameters.used()) {
      Finite.require(checkpoint.source() + ": " + checkpoint.fileName(name), checkpoint.get(name));
    }
  }

  /** The key 'state' names blocks that the model has, or ranges of units. */
  private void checkState(Model model) {
    List<String> blocks = model.blocks().stream().map(StateBlock::name).toList();
    for (String part : description.state()) {
      if (!blocks.contains(part) && !part.matches("[-0-9:]+")) {
        throw description.fault(Key.STATE, "blocks of " + blocks + " or units such as 0:10");
      }
    }
  }

  private long size(String parameter, int axis) {
    return parameters.tensors().get(parameter).shape().size(axis);
  }

  private void check(Key key, long found, String parameter) {
    Integer given = description.size(key);
    if (given != null && given != found) {
      String where =
          parameter == null
              ? " as in "
              : " as in "
                  + parameters.sources().get(parameter)
                  + " "
                  + parameters.tensors().get(parameter).shape()
                  + " of ";
      throw description.fault(key, found + where + checkpoint.source());
    }
  }

  /** Refuses entries that stand where the model's parameters do and are not known to it. */
  private void refuseUnknown(Model model, String readout) {
    List<String> unknown = new ArrayList<>();
    for (String name : checkpoint.names()) {
      if (isUnknown(name, model, readout)) {
        unknown.add(name + " " + checkpoint.get(name).shape());
      }
    }
    checkpoint
        .unreadable()
        .forEach(
            (name, reason) -> {
              if (isUnknown(name, model, readout)) {
                unknown.add(name);
              }
            });
    if (unknown.isEmpty()) {
      return;
    }
    boolean norms =
        checkpoint.names().stream()
            .anyMatch(name -> checkpoint.isNorm(name) && isUnknown(name, model, readout));
    if (description.names() != null) {
      throw new InputException(
          description.namesSource()
              + ": not parameters of a model of type "
              + description.type()
              + ": "
              + Checkpoint.listed(unknown)
              + "; beside those found, "
              + Checkpoint.listed(parameters.tensors().keySet()));
    }
    throw checkpoint.fault(
        "not known to a model of type "
            + description.type()
            + ": "
            + Checkpoint.listed(unknown)
            + (description.type() == Architecture.ATTENTION && norms
                ? "; layer norms and residual connections are those of the type transformer (a block of other names needs its \"names\");"
                : ";")
            + " leave out on purpose what is not part of it with \"ignore\"");
  }

  private boolean isUnknown(String name, Model model, String readout) {
    if (parameters.used().contains(name)) {
      return false;
    }
    if (description.names() != null) {
      return true;
    }
    if (readout != null && (name.equals(readout + ".weight") || name.equals(readout + ".bias"))) {
      return false;
    }
    if (parameters.prefixes().stream().anyMatch(own -> !own.isEmpty() && name.startsWith(own))) {
      return true;
    }
    if (parameters.prefixes().contains("")) {
      // a folder of arrays holds inputs and the like beside the weights
      return !Files.isDirectory(Path.of(checkpoint.source())) && !mayBeReadout(name, model);
    }
    String around = parameters.neighbourhood();
    if (around == null || !name.startsWith(around)) {
      return false;
    }
    return around.isEmpty()
        ? name.matches("[^.]+(\\.\\d+)*\\.(weight|bias)") && checkpoint.isNorm(name)
        : !mayBeReadout(name, model);
  }

  /** Whether an entry is NAME.weight or NAME.bias of a layer that fits behind the model. */
  private boolean mayBeReadout(String name, Model model) {
    String layer = name.replaceFirst("\\.(weight|bias)$", "");
    String weight = layer + ".weight";
    if (layer.equals(name) || !checkpoint.has(weight)) {
      return false;
    }
    Shape shape = checkpoint.get(weight).shape();
    return shape.rank() == 2 && shape.size(1) == model.outputBlock().units();
  }

  private List<String> unused() {
    Set<String> used = new TreeSet<>();
    parameters.used().forEach(name -> used.add(checkpoint.fileName(name)));
    List<String> unused = new ArrayList<>(file.names());
    unused.addAll(file.skipped().keySet());
    unused.removeIf(used::contains);
    return List.copyOf(unused);
  }

  /** Norms of a width that the state has, which the model does not compute. */
  private List<String> suspicious(Model model) {
    Set<Long> widths = new TreeSet<>();
    model.blocks().forEach(block -> widths.add(block.units()));
    return checkpoint.names().stream()
        .filter(name -> name.endsWith(".weight") && checkpoint.isNorm(name))
        .filter(name -> !parameters.used().contains(name))
        .filter(name -> widths.contains(checkpoint.get(name).shape().size(0)))
        .map(name -> name.substring(0, name.length() - ".weight".length()))
        .toList();
  }
}
