package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.io.TestFiles.assertRefused;
import static org.kpflow.io.TestFiles.resource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.base.DType;
import org.kpflow.tensor.Tensor;

class WeightFileTest {
  @TempDir private Path directory;

  @Test
  void theExtensionTellsTheFormat() throws IOException {
    Path shouting = directory.resolve("W.NPZ");
    Files.copy(resource("stored.npz"), shouting);
    try (TensorMap archive = WeightFile.read(shouting, DType.F32);
        TensorMap mixed = WeightFile.read(resource("mixed.safetensors"), DType.F32)) {
      assertEquals(DType.F32, archive.get("rnn.weight").dtype());
      assertTrue(mixed.contains("wide"));
      assertEquals(shouting.toString(), archive.source());
    }
  }

  @Test
  void aDirectoryOfArraysIsReadByName() throws IOException {
    Files.copy(resource("f8.npy"), directory.resolve("rnn.weight_ih_l0.npy"));
    Files.copy(resource("f4.npy"), directory.resolve("Wout.weight.npy"));
    Files.writeString(directory.resolve("case.json"), "{}");
    Files.writeString(directory.resolve("._f8.npy"), "left by macOS");
    try (TensorMap tensors = WeightFile.read(directory, null)) {
      assertEquals(List.of("Wout.weight", "rnn.weight_ih_l0"), List.copyOf(tensors.names()));
      assertEquals(DType.F64, tensors.get("rnn.weight_ih_l0").dtype());
    }
    Files.writeString(directory.resolve("z.npy"), "broken");
    assertRefused(() -> WeightFile.read(directory, null), "z.npy: does not begin with");
  }

  @Test
  void otherFilesAreToldWhatIsExpected() throws IOException {
    Path text = Files.writeString(directory.resolve("weights.txt"), "1 2 3");
    Path pickle = Files.writeString(directory.resolve("model.pt"), "");
    assertRefused(
        () -> WeightFile.read(text, null),
        text + ": has an unknown extension; expected a .safetensors file");
    assertRefused(() -> WeightFile.read(pickle, null), "pickled", "safetensors.torch.save_file");
    assertRefused(
        () -> WeightFile.read(directory.resolve("none.npz"), null),
        "none.npz: no such file; expected");
    assertRefused(() -> WeightFile.read(directory, null), "is a directory without .npy files");
  }

  @Test
  void aMapOwnsItsTensorsAndKeepsTheirOrder() {
    long before = Tensor.liveCount();
    try (TensorMap tensors = new TensorMap("test")) {
      for (int i = 60; i > 0; i--) {
        tensors.put("t" + i, Tensor.zeros(DType.F32, i));
      }
      assertEquals("t60", tensors.names().iterator().next());
      assertEquals(60, tensors.size());
      assertRefused(
          () -> tensors.get("x"),
          "test: no tensor 'x'; there are 't60', 't59'",
          "'t11' and 10 more");
      assertThrows(UnsupportedOperationException.class, () -> tensors.asMap().clear());
      assertThrows(IllegalArgumentException.class, () -> tensors.put("t1", tensors.get("t2")));
    }
    assertEquals(before, Tensor.liveCount());
  }
}
