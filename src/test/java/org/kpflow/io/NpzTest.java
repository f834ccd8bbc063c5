package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.io.TestFiles.assertRefused;
import static org.kpflow.io.TestFiles.bytes;
import static org.kpflow.io.TestFiles.resource;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

class NpzTest {
  private static final int LISTED_CRC = 16; // offsets within an entry of the archive's directory
  private static final int LISTED_SIZE = 24;

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"stored.npz", "deflated.npz"})
  void numpysArchivesAreReadInTheirOrder(String name) {
    try (TensorMap tensors = Npz.read(resource(name), null)) {
      assertEquals(
          List.of("rnn.weight", "rnn.bias", "count"), List.copyOf(tensors.names()).subList(0, 3));
      assertArrayEquals(
          new double[] {1.5, -2.25, 3, 4, 1e-300, -0.0}, tensors.get("rnn.weight").toDoubles());
      assertEquals(Shape.of(2, 3, 4), tensors.get("rnn.bias").shape());
      assertEquals(DType.F32, tensors.get("rnn.bias").dtype());
      assertEquals(23, tensors.get("rnn.bias").get(1, 2, 3));
      assertEquals(6, tensors.get("rnn.bias").get(0, 1, 2));
      assertEquals(3, tensors.get("count").get());
      assertTrue(!tensors.contains("zeros") || tensors.get("zeros").count() == 2000);
    }
  }

  @Test
  void anArchiveWithoutArraysIsValid() {
    try (TensorMap tensors = Npz.read(resource("no_arrays.npz"), DType.F32)) {
      assertEquals(0, tensors.size());
      assertRefused(() -> tensors.get("w"), "no_arrays.npz: no tensor 'w'; there are none");
    }
  }

  @Test
  void namesMayBeTreesButNotClimb() throws IOException {
    try (TensorMap tensors = Npz.read(resource("nested.npz"), null)) {
      assertTrue(tensors.contains("params/rnn/kernel"));
    }
    assertRefused(
        () -> Npz.read(resource("climbing.npz"), null),
        "climbing.npz: entry '../f8.npy': has a path for a name");
    for (String name :
        new String[] {
          "/etc/x.npy", "a//b.npy", "./a.npy", "a\\b.npy", "a\nb.npy", ".npy", "a.npz", "a.npy/"
        }) {
      Path file = directory.resolve("named.npz");
      zip(file, Map.of(name, bytes("f8.npy")));
      assertRefused(
          () -> Npz.read(file, null), "named.npz: entry ", "expected only the name of an array");
    }
  }

  @Test
  void otherZipFilesAreRefused() {
    assertRefused(
        () -> Npz.read(resource("pickled.npz"), null),
        "pickled.npz: entry 'archive/data.pkl': is not an .npy file");
    assertRefused(
        () -> Npz.read(resource("f8.npy"), null), "f8.npy: does not begin as a zip archive");
    assertRefused(() -> Npz.read(directory, null), "is a directory");
    assertRefused(() -> Npz.read(directory.resolve("x.npz"), null), "x.npz: no such file");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsWrittenComesBack(boolean deflate) throws IOException {
    Path file = directory.resolve("x.npz");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    double[] values = new double[300_000];
    Arrays.setAll(values, i -> Math.sin(i));
    try (Tensor large = Tensor.of(Shape.of(300, 1000), values);
        Tensor scalar = Tensor.of(Shape.of(), 2.5f);
        Tensor empty = Tensor.zeros(DType.F32, 0, 3)) {
      tensors.put("z/large", large);
      tensors.put("scalar", scalar);
      tensors.put("empty", empty);
      Npz.write(file, tensors, deflate);
      try (TensorMap read = Npz.read(file, null)) {
        assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.names()));
        tensors.forEach(
            (name, tensor) -> {
              assertEquals(tensor.shape(), read.get(name).shape());
              assertEquals(tensor.dtype(), read.get(name).dtype());
              assertArrayEquals(tensor.toDoubles(), read.get(name).toDoubles());
            });
      }
      byte[] first = Files.readAllBytes(file);
      Npz.write(file, tensors, deflate);
      assertArrayEquals(first, Files.readAllBytes(file), "equal arrays make equal files");
    }
  }

  @Test
  void nothingIsSeenUntilTheWriterIsClosed() throws IOException {
    Path file = directory.resolve("x.npz");
    Files.writeString(file, "before");
    try (Tensor tensor = Tensor.of(Shape.of(1), 1.0)) {
      NpzWriter writer = new NpzWriter(file);
      writer.add("a", tensor);
      assertEquals("before", Files.readString(file));
      writer.close();
      writer.close();
      assertThrows(IllegalStateException.class, () -> writer.add("b", tensor));
    }
    assertArrayEquals(new String[] {"x.npz"}, directory.toFile().list());
    try (TensorMap read = Npz.read(file, null)) {
      assertEquals(List.of("a"), List.copyOf(read.names()));
    }
  }

  @Test
  void aFailedOrDiscardedWriterLeavesTheFileAsItWas() throws IOException {
    Path file = directory.resolve("x.npz");
    Files.writeString(file, "before");
    Tensor closed = Tensor.zeros(DType.F64, 2);
    closed.close();
    try (Tensor tensor = Tensor.of(Shape.of(1), 1.0)) {
      try (NpzWriter writer = new NpzWriter(file, true)) {
        writer.add("a", tensor);
        assertThrows(IllegalStateException.class, () -> writer.add("b", closed));
      }
      try (NpzWriter writer = new NpzWriter(file)) {
        writer.add("a", tensor);
        assertThrows(IllegalArgumentException.class, () -> writer.add("a", tensor));
      }
      try (NpzWriter writer = new NpzWriter(file)) {
        assertThrows(IllegalArgumentException.class, () -> writer.add("../a", tensor));
      }
      try (NpzWriter writer = new NpzWriter(file)) {
        writer.add("a", tensor);
        writer.discard();
      }
    }
    assertEquals("before", Files.readString(file));
    assertArrayEquals(new String[] {"x.npz"}, directory.toFile().list());
  }

  @Test
  void sizesAndChecksumsThatTheArchiveListsMustHold() throws IOException {
    byte[] deflated = bytes("deflated.npz");
    int entry = listing(deflated, "zeros.npy");
    byte[] otherCrc = deflated.clone();
    otherCrc[entry + LISTED_CRC]++;
    assertRefused(() -> read(otherCrc), "test.npz: entry 'zeros.npy': is damaged (its checksum is");
    byte[] larger = deflated.clone();
    ByteBuffer.wrap(larger).order(ByteOrder.LITTLE_ENDIAN).putInt(entry + LISTED_SIZE, 16_128 + 8);
    assertRefused(
        () -> read(larger),
        "entry 'zeros.npy': header says shape [2000] of f8 (16000 bytes) but 16008 bytes follow");
    byte[] bomb = deflated.clone();
    ByteBuffer.wrap(bomb)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(entry + LISTED_SIZE, Integer.MAX_VALUE);
    assertRefused(
        () -> read(bomb), "claims 2147483647 bytes out of", "deflated ones, which cannot be");
    byte[] flipped = bytes("stored.npz");
    flipped[indexOf(flipped, "NUMPY") + 130] ^= 1; // in the data of the first array
    assertRefused(() -> read(flipped), "entry 'rnn.weight.npy': is damaged (its checksum is");
  }

  @Test
  void anArrayThatInflatesToMoreThanListedIsRefused() throws IOException {
    byte[] longer = Arrays.copyOf(bytes("f8.npy"), bytes("f8.npy").length + 1);
    Path file = directory.resolve("longer.npz");
    zip(file, Map.of("a.npy", longer));
    byte[] archive = Files.readAllBytes(file);
    ByteBuffer.wrap(archive)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(listing(archive, "a.npy") + LISTED_SIZE, longer.length - 1);
    assertRefused(() -> read(archive), "entry 'a.npy': is damaged (it goes on after the 176 bytes");
  }

  @Test
  void oneNameForTwoEntriesIsRefused() throws IOException {
    Path file = directory.resolve("twice.npz");
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("a.npy", bytes("f8.npy"));
    files.put("b.npy", bytes("f8.npy"));
    zip(file, files);
    byte[] archive = Files.readAllBytes(file);
    for (int at = indexOf(archive, "b.npy"); at >= 0; at = indexOf(archive, "b.npy")) {
      archive[at] = 'a';
    }
    assertRefused(() -> read(archive), "entry 'a.npy': is there twice");
  }

  @Test
  void nothingMayStandAfterTheArchive() throws IOException {
    byte[] archive = bytes("stored.npz");
    assertRefused(
        () -> read(Arrays.copyOf(archive, archive.length + 1)),
        "test.npz: does not end as a zip archive");
    assertRefused(() -> read(Arrays.copyOf(archive, archive.length - 1)), "is the file truncated");
  }

  private TensorMap read(byte[] archive) throws IOException {
    Path file = Files.createTempDirectory(directory, "read").resolve("test.npz");
    Files.write(file, archive);
    return Npz.read(file, null);
  }

  private static void zip(Path file, Map<String, byte[]> files) throws IOException {
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, byte[]> entry : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(entry.getKey()));
        zip.write(entry.getValue());
        zip.closeEntry();
      }
    }
  }

  /** Where the archive's directory lists an entry: 46 bytes before its name there. */
  private static int listing(byte[] archive, String name) {
    return new String(archive, StandardCharsets.ISO_8859_1).lastIndexOf(name) - 46;
  }

  private static int indexOf(byte[] archive, String text) {
    return new String(archive, StandardCharsets.ISO_8859_1).indexOf(text);
  }
}
