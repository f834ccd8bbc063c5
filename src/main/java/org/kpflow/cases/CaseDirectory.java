package org.kpflow.cases;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.io.Finite;
import org.kpflow.io.Npy;
import org.kpflow.model.Activation;
import org.kpflow.model.AttentionBlock;
import org.kpflow.model.Gru;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.Lstm;
import org.kpflow.model.Model;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.Rnn;
import org.kpflow.tensor.Tensor;

/**
 * A directory with a {@code case.json} and one {@code .npy} file per array: a model, its inputs and
 * vectors to apply operators to.
 */
public final class CaseDirectory {
  private static final String FILE = "case.json";

  private final Path path;
  private final JsonNode description;

  /**
   * Reads the description of a case.
   *
   * @throws InputException if the directory has no readable case.json
   */
  public CaseDirectory(Path path) {
    this.path = path;
    Path file = path.resolve(FILE);
    if (!Files.isRegularFile(file)) {
      throw new InputException(path + ": expected a directory with a case.json");
    }
    try {
      this.description = new ObjectMapper().readTree(file.toFile());
    } catch (JacksonException broken) {
      throw new InputException(file + ": not valid JSON, " + broken.getOriginalMessage(), broken);
    } catch (IOException failure) {
      throw new InputException(file + ": cannot be read, " + failure.getMessage(), failure);
    }
    if (description == null || !description.path("model").isTextual()) {
      throw new InputException(file + ": expected an object with the key \"model\"");
    }
  }

  /** The cases in a folder that is none itself, by name; empty for any other path. */
  public static List<Path> inside(Path folder) {
    if (!Files.isDirectory(folder) || Files.exists(folder.resolve(FILE))) {
      return List.of();
    }
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.filter(entry -> Files.exists(entry.resolve(FILE))).sorted().toList();
    } catch (IOException failure) {
      throw new InputException(folder + ": cannot be read, " + failure.getMessage(), failure);
    }
  }

  public Path path() {
    return path;
  }

  /** What case.json says. */
  public JsonNode description() {
    return description;
  }

  public String name() {
    return description.path("name").asText(path.getFileName().toString());
  }

  /** Names of the arrays that the case lists, given and wanted alike. */
  public Set<String> arrays() {
    Set<String> names = new LinkedHashSet<>();
    description.path("arrays").fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** Whether the directory holds an array. */
  public boolean has(String array) {
    return Files.isRegularFile(path.resolve(array + ".npy"));
  }

  /**
   * Reads an array.
   *
   * @throws InputException if it is missing, broken or not finite
   */
  public Tensor read(String array, DType dtype) {
    Path file = path.resolve(array + ".npy");
    Tensor tensor = Npy.read(file, dtype);
    try {
      Finite.require(file.toString(), tensor);
      return tensor;
    } catch (InputException failure) {
      tensor.close();
      throw failure;
    }
  }

  /** The model with the case's weights. */
  public Model model(DType dtype) {
    JsonNode flags = description.path("flags");
    Set<String> frozen = new LinkedHashSet<>();
    flags.path("frozen").forEach(node -> frozen.add(node.asText()));
    String kind = description.path("model").asText();
    Map<String, Tensor> weights = new LinkedHashMap<>();
    try {
      for (String name : kind.equals("attention") ? attentionWeights() : RecurrentModel.NAMES) {
        if (has(name)) {
          weights.put(name, read(name, dtype));
        }
      }
      ModelOptions options = new ModelOptions(dtype, frozen, "");
      return switch (kind) {
        case "rnn" -> new Rnn(weights, activation(flags), options);
        case "leaky_rnn" ->
            new LeakyRnn(weights, activation(flags), flags.path("dt").asDouble(1), options);
        case "gru" -> new Gru(weights, options);
        case "lstm" -> new Lstm(weights, options);
        case "attention" ->
            AttentionBlock.of(
                weights,
                description.path("sizes").path("n_heads").asInt(1),
                flags.path("causal").asBoolean(false),
                activation(flags),
                options);
        default ->
            throw new InputException(
                path.resolve(FILE)
                    + ": expected model rnn, leaky_rnn, gru, lstm or attention, got '"
                    + kind
                    + "'");
      };
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  /** The attention's weights and those of as many layers behind it as there are. */
  private List<String> attentionWeights() {
    List<String> names = new ArrayList<>(List.of("W_q", "W_k", "W_z", "W_o"));
    for (int l = 1; has("mlp_W_" + l); l++) {
      names.add("mlp_W_" + l);
      names.add("mlp_b_" + l);
    }
    return names;
  }

  /** The initial state [B, n], [h ; c] with a c0, or null if the case has none. */
  public Tensor initialState(DType dtype) {
    if (!has("c0")) {
      return has("h0") ? read("h0", dtype) : null;
    }
    try (Tensor c = read("c0", dtype);
        Tensor h = has("h0") ? read("h0", dtype) : Tensor.zeros(dtype, c.shape())) {
      if (!h.shape().equals(c.shape()) || c.shape().rank() != 2) {
        throw new InputException(
            path
                + ": expected h0 and c0 of one shape [B, H], got "
                + h.shape()
                + " and "
                + c.shape());
      }
      long units = c.shape().size(1);
      Tensor both = Tensor.zeros(dtype, c.shape().size(0), 2 * units);
      for (long b = 0; b < c.shape().size(0); b++) {
        both.slice(b).slice(0, units).copyFrom(h.slice(b));
        both.slice(b).slice(units, units).copyFrom(c.slice(b));
      }
      return both;
    }
  }

  private static Activation activation(JsonNode flags) {
    return Activation.of(flags.path("phi").asText("tanh"));
  }
}
