package org.kpflow.io;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.kpflow.base.DType;

/** A model's weights in any of the accepted forms. */
public final class WeightFile {
  private static final String EXPECTED =
      "a .safetensors file, an .npz file, or a directory of .npy files named after the parameters";

  private WeightFile() {}

  /**
   * Reads the weights of a .safetensors file, an .npz file, or a directory of .npy files named
   * after the parameters (read in the order of their names; other files in it are not looked at).
   *
   * @param wanted the tensors' type, or null for each tensor's own
   * @throws org.kpflow.base.InputException if it is missing, damaged, or of another kind
   */
  public static TensorMap read(Path path, DType wanted) {
    if (Files.isDirectory(path)) {
      return readDirectory(path, wanted);
    }
    InputFile.requireRegular(path, EXPECTED);
    String name = String.valueOf(path.getFileName()).toLowerCase(Locale.ROOT);
    if (name.endsWith(".safetensors")) {
      return Safetensors.read(path, wanted);
    }
    if (name.endsWith(".npz")) {
      return Npz.read(path, wanted);
    }
    if (name.endsWith(".pt")
        || name.endsWith(".pth")
        || name.endsWith(".ckpt")
        || name.endsWith(".bin")) {
      throw Fault.of(
          path.toString(),
          "looks like a pickled checkpoint; expected a .safetensors file (safetensors.torch.save_file)");
    }
    throw Fault.of(path.toString(), "has an unknown extension; expected %s", EXPECTED);
  }

  private static TensorMap readDirectory(Path directory, DType wanted) {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> listed = Files.newDirectoryStream(directory, "*" + Npz.SUFFIX)) {
      for (Path file : listed) {
        if (!file.getFileName()
            .toString()
            .startsWith(".")) { // macOS leaves ._name beside a copied file
          files.add(file);
        }
      }
    } catch (DirectoryIteratorException fault) {
      throw Fault.io(directory, "read", fault.getCause());
    } catch (IOException fault) {
      throw Fault.io(directory, "read", fault);
    }
    if (files.isEmpty()) {
      throw Fault.of(
          directory.toString(), "is a directory without .npy files; expected %s", EXPECTED);
    }
    Collections.sort(files);
    TensorMap tensors = new TensorMap(directory.toString());
    try {
      for (Path file : files) {
        String name = file.getFileName().toString();
        tensors.put(name.substring(0, name.length() - Npz.SUFFIX.length()), Npy.read(file, wanted));
      }
      return tensors;
    } catch (RuntimeException | Error fault) {
      tensors.close();
      throw fault;
    }
  }
}
