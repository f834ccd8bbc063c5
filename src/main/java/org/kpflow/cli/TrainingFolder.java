package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.kpflow.base.InputException;

/**
 * What lies beside weights, as {@code kpflow train} writes it: model.json, inputs.npy, targets.npy,
 * mask.npy.
 */
record TrainingFolder(Path folder) {

  /** The folder of a checkpoint, or of checkpoints. */
  static TrainingFolder of(Path weights) {
    return new TrainingFolder(
        Files.isDirectory(weights) ? weights : weights.toAbsolutePath().getParent());
  }

  /** Takes the model.json for a network that no option describes. */
  void describe(NetworkOptions network) {
    if (has("model.json")) {
      network.orElse(folder.resolve("model.json"));
    }
  }

  /**
   * The inputs.
   *
   * @throws InputException if there are none
   */
  Path inputs() {
    if (!has("inputs.npy")) {
      throw new InputException(
          "--inputs: expected a .npy file [B, T, n_in]; there is no inputs.npy in " + folder);
    }
    return folder.resolve("inputs.npy");
  }

  /** The targets, or null. */
  Path targets() {
    return has("targets.npy") ? folder.resolve("targets.npy") : null;
  }

  /** Which steps of these targets count; null where all do, or where the targets are others. */
  Path mask(Path of) {
    Path mask = folder.resolve("mask.npy");
    try {
      boolean own = of != null && targets() != null && Files.isSameFile(of, targets());
      return own && Files.exists(mask) ? mask : null;
    } catch (IOException unreadable) {
      return null; // reading the targets will say so
    }
  }

  private boolean has(String name) {
    return Files.exists(folder.resolve(name));
  }
}
