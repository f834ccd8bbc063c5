package org.kpflow.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.kpflow.base.DType;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** The Memory-Pro GRU of 256 units that comes with the library, on its first trials. */
final class BundledGru {
  private static final String EXAMPLE = "/org/kpflow/examples/memory_pro_gru/";

  private BundledGru() {}

  static Linearization linearize(ExecutionContext context, String step, int trials, DType dtype) {
    Path weights = unpacked("step_" + step + ".safetensors");
    Path inputs = unpacked("inputs.npy");
    try (TensorMap parameters = WeightFile.read(weights, dtype);
        Gru model = new Gru(parameters.asMap(), ModelOptions.of(dtype));
        Tensor all = Npy.read(inputs)) {
      return Linearization.of(context, model, all.slice(0, trials), null);
    }
  }

  private static Path unpacked(String name) {
    try (InputStream source = Linearization.class.getResourceAsStream(EXAMPLE + name)) {
      Path file = Files.createTempFile("kpflow", name);
      file.toFile().deleteOnExit();
      Files.copy(source, file, StandardCopyOption.REPLACE_EXISTING);
      return file;
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }
}
