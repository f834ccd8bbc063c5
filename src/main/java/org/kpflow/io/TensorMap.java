package org.kpflow.io;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.kpflow.base.Checks;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * Named tensors of one file in the file's order; it owns them, and closing it closes them all. Not
 * safe for concurrent use.
 */
public final class TensorMap implements AutoCloseable {
  private static final int NAMES_IN_A_MESSAGE = 50;

  private final String source;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> skipped = new LinkedHashMap<>();
  private final Map<String, String> metadata = new LinkedHashMap<>();

  /**
   * An empty map.
   *
   * @param source where the tensors come from, for messages
   */
  public TensorMap(String source) {
    this.source = Checks.notNull(source, "source");
  }

  /**
   * Adds a tensor, which the map owns from then on.
   *
   * @throws IllegalArgumentException if the name is taken; the tensor then stays the caller's
   */
  public void put(String name, Tensor tensor) {
    Checks.notNull(name, "name");
    Checks.notNull(tensor, "tensor");
    Checks.that(!tensors.containsKey(name), "name: expected a new one, got '%s' again", name);
    tensors.put(name, tensor);
  }

  /**
   * Notes an entry that is not a tensor of numbers we compute with, so that asking for it can say
   * why it is missing.
   */
  void putSkipped(String name, String reason) {
    skipped.put(name, reason);
  }

  void putMetadata(Map<String, String> entries) {
    metadata.putAll(entries);
  }

  /**
   * The tensor of a name; it stays the map's.
   *
   * @throws InputException if there is none, listing the names there are, or saying why the file's
   *     entry was not read
   */
  public Tensor get(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor != null) {
      return tensor;
    }
    if (skipped.containsKey(name)) {
      throw Fault.of(source, "tensor %s %s", Fault.quote(name), skipped.get(name));
    }
    throw Fault.of(
        source, "no tensor %s; %s", Fault.quote(String.valueOf(name)), known(tensors.keySet()));
  }

  private static String known(Collection<String> names) {
    if (names.isEmpty()) {
      return "there are none";
    }
    String first =
        names.stream()
            .limit(NAMES_IN_A_MESSAGE)
            .map(Fault::quote)
            .collect(Collectors.joining(", "));
    int more = names.size() - NAMES_IN_A_MESSAGE;
    return "there are " + first + (more > 0 ? " and " + more + " more" : "");
  }

  /** Whether there is a tensor of this name. */
  public boolean contains(String name) {
    return tensors.containsKey(name);
  }

  /** The names, in the file's order. */
  public Set<String> names() {
    return asMap().keySet();
  }

  /** A read-only view; the tensors stay this map's. */
  public Map<String, Tensor> asMap() {
    return Collections.unmodifiableMap(tensors);
  }

  /** Names of entries that are not tensors of numbers we compute with, with the reason. */
  public Map<String, String> skipped() {
    return Collections.unmodifiableMap(skipped);
  }

  /** Number of tensors. */
  public int size() {
    return tensors.size();
  }

  /**
   * What the file says about itself ({@code __metadata__} of a safetensors file); empty for the
   * other formats.
   */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /** Where the tensors come from, for messages: the path of the file. */
  public String source() {
    return source;
  }

  /** Puts copies on a device in the place of tensors that lie elsewhere, which are closed. */
  public void moveTo(Device device) {
    tensors.replaceAll(
        (name, tensor) -> {
          if (tensor.device() == device) {
            return tensor;
          }
          try (tensor) {
            return tensor.to(device);
          }
        });
  }

  /** Closes all tensors. Closing twice does nothing. */
  @Override
  public void close() {
    tensors.values().forEach(Tensor::close);
  }

  @Override
  public String toString() {
    return "TensorMap of " + source + " " + tensors;
  }
}
