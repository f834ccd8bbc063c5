package org.kpflow.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.InputException;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/**
 * All that is needed to go on with a training, in one file that is replaced in one step: the
 * weights by their names in checkpoints, what the optimizer remembers behind {@code optimizer.},
 * and the step and the options as metadata.
 *
 * @param step steps taken
 * @param options as given, by name
 */
record TrainingState(long step, Map<String, String> options) {
  /** Below the directory, so that it is not taken for one of its checkpoints. */
  static final String FOLDER = "resume";

  private static final String NAME = "state.safetensors";
  private static final String OPTIMIZER = "optimizer.";
  private static final ObjectMapper JSON = new ObjectMapper();

  private static Path file(Path directory) {
    return directory.resolve(FOLDER).resolve(NAME);
  }

  /** Whether a directory has a training. */
  static boolean exists(Path directory) {
    return Files.exists(file(directory));
  }

  /** What a directory says of its training, or null if it has none. */
  static TrainingState read(Path directory) {
    if (!exists(directory)) {
      return null;
    }
    Path file = file(directory);
    Map<String, String> metadata = Safetensors.header(file).metadata();
    try {
      return new TrainingState(
          Long.parseLong(metadata.get("step")),
          JSON.readValue(
              metadata.get("options"), new TypeReference<LinkedHashMap<String, String>>() {}));
    } catch (IllegalArgumentException | JacksonException damaged) {
      throw new InputException(
          file + ": expected the state of a training; it was not written by kpflow train", damaged);
    }
  }

  /** Writes it with the tensors of network and optimizer. */
  void write(Path directory, Network network, Optimizer optimizer) throws IOException {
    Files.createDirectories(directory.resolve(FOLDER));
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("step", Long.toString(step));
    metadata.put("options", JSON.writeValueAsString(options));
    Safetensors.write(file(directory), tensors(network, optimizer), metadata);
  }

  /**
   * Overwrites the tensors of network and optimizer with those of a directory's state.
   *
   * @throws InputException if they are others
   */
  static void restore(Path directory, Network network, Optimizer optimizer) {
    Map<String, Tensor> own = tensors(network, optimizer);
    try (TensorMap stored = Safetensors.read(file(directory), null)) {
      own.forEach(
          (name, tensor) -> {
            Tensor found = stored.get(name);
            if (!found.shape().equals(tensor.shape()) || found.dtype() != tensor.dtype()) {
              throw new InputException(
                  stored.source() + ": " + name + ": expected " + tensor + ", got " + found);
            }
          });
      if (stored.size() != own.size()) {
        throw new InputException(
            stored.source() + ": expected " + own.keySet() + ", got " + stored.names());
      }
      own.forEach((name, tensor) -> tensor.copyFrom(stored.get(name)));
    }
  }

  private static Map<String, Tensor> tensors(Network network, Optimizer optimizer) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(network.weights());
    optimizer.state().forEach((name, tensor) -> tensors.put(OPTIMIZER + name, tensor));
    return tensors;
  }
}
