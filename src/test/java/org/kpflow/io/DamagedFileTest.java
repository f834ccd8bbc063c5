package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.io.TestFiles.bytes;
import static org.kpflow.io.TestFiles.readsOrIsRefused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every truncation and every damaged header byte of NumPy's files is read or refused in one line,
 * and leaks nothing.
 */
class DamagedFileTest {
  private static final int[] FLIPS = {0x01, 0x08, 0x80, 0xff};

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "f8.npy",
        "f4_fortran.npy",
        "i8_big_endian.npy",
        "bool.npy",
        "f2.npy",
        "scalar.npy",
        "f8_version2.npy",
        "f8_version3.npy",
        "records.npy",
        "stored.npz",
        "deflated.npz",
        "no_arrays.npz",
        "mixed.safetensors"
      })
  void everyPrefixIsRefused(String name) throws IOException {
    byte[] whole = bytes(name);
    for (int length = 0; length < whole.length; length++) {
      assertFalse(
          reads(name, Arrays.copyOf(whole, length)),
          name + " read from its first " + length + " bytes");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f8.npy", "bool.npy", "empty.npy", "f8_version3.npy"})
  void everyOtherByteInAnNpyHeaderIsReadOrRefused(String name) throws IOException {
    byte[] whole = bytes(name);
    for (int at = 0; at < Math.min(whole.length, 128); at++) {
      for (int value = 0; value < 256; value++) {
        byte[] damaged = whole.clone();
        damaged[at] = (byte) value;
        String what = name + " with byte " + at + " set to " + value;
        readsOrIsRefused(
            name,
            what,
            () -> Npy.read(new ByteArrayInputStream(damaged), damaged.length, null, name));
      }
    }
    assertTrue(reads(name, whole));
  }

  @ParameterizedTest
  @ValueSource(strings = {"stored.npz", "deflated.npz", "no_arrays.npz"})
  void everyFlippedByteOfAnArchiveIsReadOrRefused(String name) throws IOException {
    flip(name, bytes(name).length);
  }

  @ParameterizedTest
  @ValueSource(strings = {"mixed.safetensors"})
  void everyFlippedByteOfASafetensorsHeaderIsReadOrRefused(String name) throws IOException {
    flip(name, 8 + (int) ByteBuffer.wrap(bytes(name)).order(ByteOrder.LITTLE_ENDIAN).getLong());
  }

  private void flip(String name, int end) throws IOException {
    byte[] whole = bytes(name);
    assertTrue(reads(name, whole));
    for (int at = 0; at < end; at++) {
      for (int flip : FLIPS) {
        byte[] damaged = whole.clone();
        damaged[at] ^= (byte) flip;
        reads(name, damaged);
      }
    }
  }

  private boolean reads(String name, byte[] content) throws IOException {
    Path file = directory.resolve(name);
    Files.write(file, content);
    try {
      return readsOrIsRefused(file.toString(), name, () -> read(file));
    } finally {
      Files.delete(file);
    }
  }

  private static AutoCloseable read(Path file) {
    return file.toString().endsWith(".npy") ? Npy.read(file) : WeightFile.read(file, null);
  }
}
