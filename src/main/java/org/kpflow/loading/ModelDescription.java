package org.kpflow.loading;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.model.Activation;
import org.kpflow.model.NeuralOde;

/**
 * An architecture and where its parameters are in a checkpoint: what a model.json says
 * (docs/models/model-json.md has every key, default and error). {@link ModelLoader} makes a model
 * of it.
 */
public final class ModelDescription {
  /** The keys and the architectures that take them. */
  enum Key {
    TYPE,
    ACTIVATION(
        Architecture.RNN,
        Architecture.LEAKY_RNN,
        Architecture.MLP,
        Architecture.ATTENTION,
        Architecture.TRANSFORMER),
    DT(Architecture.LEAKY_RNN, Architecture.NEURAL_ODE),
    TAU(Architecture.NEURAL_ODE),
    METHOD(Architecture.NEURAL_ODE),
    HEADS(Architecture.ATTENTION, Architecture.TRANSFORMER),
    CAUSAL(Architecture.ATTENTION, Architecture.TRANSFORMER),
    EPSILON(Architecture.TRANSFORMER),
    NORM_FIRST(Architecture.TRANSFORMER),
    DROPOUT,
    MLP(Architecture.ATTENTION),
    EMBEDDING(Architecture.TRANSFORMER),
    PREFIX,
    NAMES,
    IGNORE,
    FREEZE,
    STATE,
    STEPS,
    LAYERS,
    INPUTS,
    UNITS(
        Architecture.RNN,
        Architecture.LEAKY_RNN,
        Architecture.GRU,
        Architecture.LSTM,
        Architecture.NEURAL_ODE,
        Architecture.ATTENTION,
        Architecture.TRANSFORMER);

    private final Set<Architecture> takers;

    Key(Architecture... takers) {
      this.takers = takers.length == 0 ? EnumSet.allOf(Architecture.class) : Set.of(takers);
    }

    boolean isTakenBy(Architecture type) {
      return takers.contains(type);
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** The keys in the order of the documentation. */
  public static final List<String> KEYS = Arrays.stream(Key.values()).map(Key::toString).toList();

  private static final List<String> METHODS =
      Arrays.stream(NeuralOde.Method.values())
          .map(method -> method.name().toLowerCase(Locale.ROOT))
          .toList();

  private static final String MAPPING =
      "an object {\"parameter\": \"its name in the file\", ...}, or the path of a file with one";

  private final StrictObject json;
  private final Architecture type;
  private final StrictObject mapping;
  private final Map<String, String> names;

  /** With a mapping that was read before, or null to read it. */
  private ModelDescription(StrictObject json, Path directory, StrictObject known) {
    this.json = json;
    json.requireKnown(KEYS);
    if (!json.has("type")) {
      throw json.fault("type", "one of " + String.join(", ", Architecture.NAMES));
    }
    this.type =
        Architecture.valueOf(json.oneOf("type", Architecture.NAMES).toUpperCase(Locale.ROOT));
    for (String key : json.keys()) {
      if (!Key.valueOf(key.toUpperCase(Locale.ROOT)).isTakenBy(type)) {
        throw new InputException(
            source() + ": key '" + key + "' is not for a model of type " + type + keysOfType());
      }
    }
    checkValues();
    this.mapping = known != null ? known : mapping(directory);
    this.names = mapping == null ? null : mapping.allTexts();
    if (names != null) {
      checkNames();
    }
  }

  private String keysOfType() {
    return Arrays.stream(Key.values())
        .filter(key -> key.isTakenBy(type))
        .map(Key::toString)
        .collect(Collectors.joining(", ", "; it takes ", ""));
  }

  /** Reads every value once, so that a wrong one is refused whether it is needed or not. */
  private void checkValues() {
    activation(null);
    json.positive("dt");
    tau();
    json.oneOf("method", METHODS);
    if (type == Architecture.LEAKY_RNN) {
      dt();
    }
    if (json.has("heads")) {
      heads();
    }
    causal();
    epsilon();
    json.textOrFalse("mlp");
    json.textOrFalse("embedding");
    prefix();
    ignore();
    freeze();
    state();
    steps();
    size(Key.LAYERS);
    size(Key.INPUTS);
    size(Key.UNITS);
    if (!json.flag("norm_first", true)) {
      throw json.fault(
          "norm_first", "true: only pre-norm transformers (norm_first=True) are supported");
    }
    Double dropout = json.number("dropout");
    if (dropout != null && dropout != 0) {
      throw json.fault(
          "dropout",
          "0: a network is analysed as it is in eval mode, where dropout does nothing; leave the key out if that is meant");
    }
  }

  private StrictObject mapping(Path directory) {
    if (!json.isText("names")) {
      return json.object("names", MAPPING);
    }
    return StrictObject.read(
        directory.resolve(json.text("names")),
        MAPPING + ", as the key 'names' of " + source() + " says");
  }

  private void checkNames() {
    if (prefix() != null) {
      throw json.fault("prefix", "no prefix beside 'names', which hold whole names");
    }
    if (names.isEmpty()) {
      throw new InputException(namesSource() + ": expected at least one parameter, got {}");
    }
    Map<String, String> taken = new HashMap<>();
    names.forEach(
        (parameter, file) -> {
          String other = taken.put(file, parameter);
          if (other != null) {
            throw new InputException(
                String.format(
                    "%s: expected a name of its own for every parameter, got %s for '%s' and '%s'",
                    namesSource(), Spelling.quote(file), other, parameter));
          }
        });
  }

  /**
   * Reads a model.json. A mapping file it names is looked for beside it.
   *
   * @throws InputException if it is missing, not JSON, or says something that is not known
   */
  public static ModelDescription read(Path file) {
    StrictObject json =
        StrictObject.read(
            file, "a JSON file that describes the model, such as {\"type\": \"gru\"}");
    return new ModelDescription(json, file.toAbsolutePath().getParent(), null);
  }

  /**
   * A description from JSON text.
   *
   * @param source where it comes from, for messages
   * @throws InputException as {@link #read} does
   */
  public static ModelDescription parse(String json, String source) {
    Checks.notNull(json, "json");
    return new ModelDescription(
        StrictObject.parse(json, Checks.notNull(source, "source")), Path.of(""), null);
  }

  /**
   * A description from the same keys and values in Java, such as {@code Map.of("type", "attention",
   * "heads", 4)}.
   *
   * @param source where it comes from, for messages
   * @throws InputException as {@link #read} does
   */
  public static ModelDescription of(Map<String, ?> values, String source) {
    Checks.notNull(values, "values");
    return new ModelDescription(
        StrictObject.of(values, Checks.notNull(source, "source")), Path.of(""), null);
  }

  /** Where it comes from, for messages. */
  public String source() {
    return json.source();
  }

  public Architecture type() {
    return type;
  }

  /** φ, or the given one where the description says nothing. */
  public Activation activation(Activation otherwise) {
    String name =
        json.oneOf(
            "activation", Arrays.stream(Activation.values()).map(Activation::toString).toList());
    return name == null ? otherwise : Activation.of(name);
  }

  /**
   * The time step: over the time constant for a leaky RNN, 1 where the description says nothing.
   *
   * @throws InputException if the description of a neural ODE does not say
   */
  public double dt() {
    Double dt = json.positive("dt");
    if (type == Architecture.LEAKY_RNN && dt != null && dt > 1) {
      throw json.fault("dt", "a number above 0 and at most 1");
    }
    if (type == Architecture.NEURAL_ODE && dt == null) {
      throw json.fault("dt", "the time step, which no checkpoint shows");
    }
    return dt == null ? 1 : dt;
  }

  /** The time constant of a neural ODE, or one per unit; 1 where the description says nothing. */
  public double[] tau() {
    double[] tau = json.positives("tau");
    return tau == null ? new double[] {1} : tau;
  }

  /**
   * How a neural ODE is stepped.
   *
   * @throws InputException if the description does not say
   */
  public NeuralOde.Method method() {
    String name = json.oneOf("method", METHODS);
    if (name == null) {
      throw json.fault("method", "euler or rk4, which no checkpoint shows");
    }
    return NeuralOde.Method.valueOf(name.toUpperCase(Locale.ROOT));
  }

  /**
   * The number of attention heads.
   *
   * @throws InputException if the description does not say: no checkpoint shows it
   */
  public int heads() {
    if (json.isNull("heads") || !json.has("heads")) {
      throw json.fault(
          "heads", "the number of attention heads, which no checkpoint shows; fill it in");
    }
    return json.count("heads", 1);
  }

  /** Whether attention looks back only; false where the description says nothing. */
  public boolean causal() {
    return json.flag("causal", false);
  }

  /** ε of the layer norms; PyTorch's 1e-5 where the description says nothing. */
  public double epsilon() {
    Double epsilon = json.positive("epsilon");
    return epsilon == null ? 1e-5 : epsilon;
  }

  /**
   * What stands before the names of a part's linear layers: {@code mlp} behind an attention block,
   * {@code embedding} in front of a transformer. Null to find it.
   */
  String part(Key key) {
    return json.textOrFalse(key.toString());
  }

  /** Whether the description says that there is no such part. */
  boolean isWithout(Key key) {
    return json.isFalse(key.toString());
  }

  /** What stands before the names in the file; null to find it. */
  public String prefix() {
    return json.text("prefix");
  }

  /** The parameters' names in the file, by parameter; null to find them. */
  public Map<String, String> names() {
    return names;
  }

  /** Where {@link #names} come from, for messages. */
  String namesSource() {
    return mapping.source();
  }

  /** Patterns ({@code *}, {@code ?}) of names in the file that are left out on purpose. */
  public List<String> ignore() {
    return json.parts("ignore");
  }

  /** The families that are not trained. */
  public Set<String> freeze() {
    return new LinkedHashSet<>(json.parts("freeze"));
  }

  /** The blocks of the state to analyse; empty for all. */
  public List<String> state() {
    return json.partsOrAll("state");
  }

  /** The steps to analyse, as ranges; empty for all. */
  public List<String> steps() {
    return json.partsOrAll("steps");
  }

  /** A size that the description gives for checking, or null. */
  Integer size(Key key) {
    return json.count(key.toString(), key == Key.LAYERS ? 0 : 1);
  }

  /** The number of units that the description gives; null where it does not. */
  public Integer units() {
    return size(Key.UNITS);
  }

  /** The number of layers or blocks that the description gives; null where it does not. */
  public Integer layers() {
    return size(Key.LAYERS);
  }

  /**
   * The same network in a file with kpflow's names behind a prefix, as {@code kpflow train} writes
   * it: without what says where its parameters are in another.
   */
  public ModelDescription stored(String prefix) {
    Map<String, Object> all = values();
    for (Key key : List.of(Key.NAMES, Key.IGNORE, Key.MLP, Key.EMBEDDING)) {
      all.remove(key.toString());
    }
    all.put(Key.PREFIX.toString(), prefix);
    return of(all, source());
  }

  /** All keys that are given, with their values. */
  public Map<String, Object> values() {
    Map<String, Object> all = new LinkedHashMap<>();
    json.keys().forEach(key -> all.put(key, json.plain(key)));
    return all;
  }

  /** The exception for the value of a key. */
  InputException fault(Key key, String expected) {
    return json.fault(key.toString(), expected);
  }

  /** This description with other values for some keys, such as from a command line. */
  public ModelDescription with(Map<String, ?> values) {
    Map<String, Object> all = new LinkedHashMap<>();
    json.keys().forEach(key -> all.put(key, json.value(key)));
    all.putAll(values);
    return new ModelDescription(
        StrictObject.of(all, source()), Path.of(""), values.containsKey("names") ? null : mapping);
  }

  /** As JSON. */
  @Override
  public String toString() {
    return json.toString();
  }
}
