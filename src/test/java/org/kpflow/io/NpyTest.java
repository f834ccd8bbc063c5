package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.io.TestFiles.assertRefused;
import static org.kpflow.io.TestFiles.bytes;
import static org.kpflow.io.TestFiles.resource;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.CancelledException;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

class NpyTest {
  private static final double[] MATRIX = {1.5, -2.25, 3, 4, 1e-300, -0.0};
  private static final double[] CUBE = IntStream.range(0, 24).asDoubleStream().toArray();

  @TempDir private Path directory;

  @ParameterizedTest
  @ValueSource(strings = {"f8", "f8_fortran", "f8_big_endian", "f8_version2", "f8_version3"})
  void everyFormOfAMatrixIsReadAsTheSameMatrix(String name) {
    try (Tensor tensor = Npy.read(resource(name + ".npy"))) {
      assertEquals(Shape.of(2, 3), tensor.shape());
      assertEquals(DType.F64, tensor.dtype());
      assertArrayEquals(MATRIX, tensor.toDoubles());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f4", "f4_fortran", "f4_big_endian_fortran"})
  void everyFormOfACubeIsReadAsTheSameCube(String name) {
    try (Tensor tensor = Npy.read(resource(name + ".npy"));
        Tensor wide = Npy.read(resource(name + ".npy"), DType.F64)) {
      assertEquals(Shape.of(2, 3, 4), tensor.shape());
      assertEquals(DType.F32, tensor.dtype());
      assertArrayEquals(CUBE, tensor.toDoubles());
      assertEquals(DType.F64, wide.dtype());
      assertArrayEquals(CUBE, wide.toDoubles());
    }
  }

  @Test
  void f8AsF32IsRoundedToNearest() {
    try (Tensor tensor = Npy.read(resource("f8.npy"), DType.F32)) {
      assertArrayEquals(new float[] {1.5f, -2.25f, 3, 4, 0, -0f}, tensor.toFloats());
    }
    try (Tensor huge = Tensor.of(Shape.of(2), 1.0, 1e300)) {
      Npy.write(directory.resolve("huge.npy"), huge);
      assertRefused(
          () -> Npy.read(directory.resolve("huge.npy"), DType.F32),
          "element 1 is 1.0E300",
          "overflows f32");
    }
  }

  @ParameterizedTest
  @CsvSource({"i4, 2147483647, -2147483648", "i8, 9007199254740992, -9223372036854775808"})
  void integersAreWidenedToF64(String name, double third, double fourth) {
    for (String form : new String[] {name, name + "_big_endian"}) {
      try (Tensor tensor = Npy.read(resource(form + ".npy"))) {
        assertEquals(DType.F64, tensor.dtype());
        assertArrayEquals(new double[] {0, -1, third, fourth}, tensor.toDoubles());
      }
    }
  }

  @Test
  void anIntegerWithoutAnEqualInTheWantedTypeIsRefused() {
    assertRefused(() -> Npy.read(resource("i4.npy"), DType.F32), "element 2 is 2147483647", "f32");
    assertRefused(
        () -> Npy.read(resource("i8_inexact.npy")), "element 1 is 9007199254740993", "f64");
    assertRefused(
        () -> Npy.read(resource("i8_largest.npy")), "element 0 is 9223372036854775807", "f64");
  }

  @Test
  void boolsAreZerosAndOnes() throws IOException {
    try (Tensor tensor = Npy.read(resource("bool.npy"))) {
      assertArrayEquals(new double[] {1, 0, 1}, tensor.toDoubles());
    }
    byte[] broken = bytes("bool.npy");
    broken[broken.length - 1] = 7;
    assertRefused(() -> read(broken), "element 2 is the byte 7", "expected 0 or 1");
  }

  @Test
  void halvesWidenToTheFloatsThatNumpyWidensThemTo() {
    try (Tensor halves = Npy.read(resource("f2.npy"));
        Tensor floats = Npy.read(resource("f2_as_f4.npy"))) {
      assertArrayEquals(floats.toFloats(), halves.toFloats());
      assertEquals(0x1p-24f, halves.toFloats()[2]);
      assertEquals(1 / halves.toDoubles()[1], Double.NEGATIVE_INFINITY);
    }
  }

  @Test
  void everyFiniteHalfIsItsFractionTimesItsPowerOfTwo() {
    ByteBuffer half = ByteBuffer.allocate(2);
    for (int bits = 0; bits < 1 << 16; bits++) {
      int exponent = bits >> 10 & 31;
      if (exponent < 31) {
        double magnitude =
            Math.pow(2, Math.max(exponent, 1) - 15)
                * ((exponent == 0 ? 0 : 1) + (bits & 1023) / 1024.0);
        half.putShort(0, (short) bits);
        assertEquals(bits < 1 << 15 ? magnitude : -magnitude, Encoding.F16.value(half, 0));
      }
    }
  }

  @Test
  void numbersWithoutAxesAndArraysWithoutElementsAreValid() {
    try (Tensor scalar = Npy.read(resource("scalar.npy"));
        Tensor empty = Npy.read(resource("empty.npy"), DType.F64)) {
      assertEquals(Shape.of(), scalar.shape());
      assertArrayEquals(new double[] {7.5}, scalar.toDoubles());
      assertEquals(Shape.of(3, 0, 2), empty.shape());
      assertEquals(0, empty.count());
    }
  }

  @Test
  void theHeaderAloneTellsShapeTypeAndOrder() {
    assertEquals(
        new Npy.Header(Shape.of(2, 3), "<f8", true), Npy.header(resource("f8_fortran.npy")));
    assertEquals(new Npy.Header(Shape.of(1), "<c16", false), Npy.header(resource("complex.npy")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"f8", "f4", "scalar", "empty"})
  void whatIsWrittenIsByteForByteWhatNumpyWrites(String name) throws IOException {
    Path file = directory.resolve(name + ".npy");
    try (Tensor tensor = Npy.read(resource(name + ".npy"))) {
      Npy.write(file, tensor);
    }
    assertArrayEquals(bytes(name + ".npy"), Files.readAllBytes(file));
  }

  @Test
  void tensorsOfManyChunksComeBackAsTheyWent() {
    double[] values = DoubleStream.iterate(0.5, x -> x + 1).limit(600_001).toArray();
    Path file = directory.resolve("large.npy");
    for (DType dtype : DType.values()) {
      try (Tensor tensor = Tensor.of(dtype, Shape.of(values.length), values)) {
        Npy.write(file, tensor);
        try (Tensor same = Npy.read(file);
            Tensor wide = Npy.read(file, DType.F64)) {
          assertEquals(dtype, same.dtype());
          assertArrayEquals(tensor.toDoubles(), same.toDoubles());
          assertArrayEquals(tensor.toDoubles(), wide.toDoubles());
        }
      }
    }
  }

  @Test
  void writingReplacesTheFileAndLeavesNothingElse() throws IOException {
    Path file = directory.resolve("x.npy");
    Files.writeString(file, "before");
    try (Tensor tensor = Tensor.of(Shape.of(2), 1.0, 2.0)) {
      Npy.write(file, tensor);
    }
    Tensor closed = Tensor.zeros(DType.F64, 2);
    closed.close();
    assertThrows(IllegalStateException.class, () -> Npy.write(file, closed));
    assertArrayEquals(new String[] {"x.npy"}, directory.toFile().list());
    try (Tensor tensor = Npy.read(file)) {
      assertArrayEquals(new double[] {1, 2}, tensor.toDoubles());
    }
  }

  @Test
  void placesThatCannotBeReadOrWrittenAreNamed() {
    Path missing = directory.resolve("no/such.npy");
    assertRefused(() -> Npy.read(missing), missing + ": no such file");
    assertRefused(() -> Npy.read(directory), directory + ": is a directory");
    assertRefused(() -> Npy.header(Path.of("/dev/zero")), "/dev/zero: is not a regular file");
    try (Tensor tensor = Tensor.zeros(DType.F32, 1)) {
      assertRefused(
          () -> Npy.write(missing, tensor), missing + ": cannot be written", "no directory");
      assertRefused(() -> Npy.write(directory, tensor), directory + ": is a directory");
    }
  }

  @Test
  void typesThatAreNoRealNumbersAreNamed() {
    assertRefused(
        () -> Npy.read(resource("complex.npy")), "complex.npy", "'<c16'", "expected f2, f4, f8");
    assertRefused(() -> Npy.read(resource("objects.npy")), "objects.npy", "'|O'");
    assertRefused(() -> Npy.read(resource("records.npy")), "records.npy", "several fields");
  }

  @Test
  void aSizeOtherThanTheHeaderSaysIsToldInBytes() throws IOException {
    byte[] file = bytes("f8.npy");
    assertRefused(
        () -> read(Arrays.copyOf(file, file.length - 8)),
        "test.npy: header says shape [2, 3] of f8 (48 bytes) but 40 bytes follow; is the file truncated?");
    assertRefused(
        () -> read(Arrays.copyOf(file, file.length + 1)),
        "but 49 bytes follow",
        "nothing after the data");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,), } | negative",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), } | overflows",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,), } | overflows",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), } | below 2^60",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), } | but 0 bytes follow",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0) } | a tuple such as (3,)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0 0), } | ',' or ')'",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (x,), } | a whole number",
        "{'descr': '<f8', 'fortran_order': False} | no 'shape'",
        "{'fortran_order': False, 'shape': (0,)} | no 'descr'",
        "{'descr': '<f8', 'shape': (0,)} | no 'fortran_order'",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (0,)} | 'descr' twice",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0,), 'more': 1} | a key 'more'",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (0,)} | True or False",
        "{'descr': 8, 'fortran_order': False, 'shape': (0,)} | in quotes",
        "{'descr': '<f9', 'fortran_order': False, 'shape': (0,)} | '<f9'",
        "{'descr': 'f8', 'fortran_order': False, 'shape': (0,)} | 'f8'",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0,)} + 1 | nothing after the dict",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0,) | '}'",
        "['descr', '<f8'] | '{'",
        "` ` | '{'",
      })
  void aHeaderThatIsNotTheDictSaysWhatWasExpected(String dict, String expected) {
    assertRefused(() -> read(file(1, dict)), "test.npy: ", expected);
  }

  @Test
  void headersMayDifferFromNumpysInOrderQuotesAndSpaces() throws IOException {
    try (Tensor tensor =
        read(file(1, " {\"shape\":(0L,3,),'descr':\t'<f4' , 'fortran_order':True }\n"))) {
      assertEquals(Shape.of(0, 3), tensor.shape());
    }
  }

  @Test
  void lengthsAndVersionsAreNotTakenAtTheirWord() throws IOException {
    byte[] tooLong = file(2, "{}");
    ByteBuffer.wrap(tooLong).order(ByteOrder.LITTLE_ENDIAN).putInt(8, -1);
    assertRefused(() -> read(tooLong), "the header claims 4294967295 bytes but 2 follow");
    byte[] version = bytes("f8.npy");
    version[6] = 4;
    assertRefused(() -> read(version), "version 4.0; expected 1.0, 2.0 or 3.0");
    String endless = "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1,".repeat(65) + ")}";
    assertRefused(() -> read(file(1, endless)), "more than 64 axes");
    assertRefused(() -> read(file(2, " ".repeat(2_000_000))), "expected at most 1048576");
  }

  @Test
  void fortranOrderIsReadForAsManyAxesAsCanBeTurned() throws IOException {
    String ones = "1, ".repeat(20);
    byte[] flat =
        file(
            1,
            "{'descr': '|b1', 'fortran_order': True, 'shape': (" + ones + "2, " + ones + "3)}",
            0,
            1,
            1,
            0,
            0,
            1);
    try (Tensor tensor = read(flat)) {
      assertEquals(42, tensor.shape().rank());
      assertArrayEquals(new double[] {0, 1, 0, 1, 0, 1}, tensor.toDoubles());
    }
    byte[] data = new byte[1 << 9];
    assertRefused(
        () ->
            read(
                file(
                    1,
                    "{'descr': '|b1', 'fortran_order': True, 'shape': (" + "2, ".repeat(9) + ")}",
                    data)),
        "Fortran order with 9 axes");
  }

  @Test
  void aTensorIsFiniteOrTheFirstElementThatIsNotIsNamed() {
    try (Tensor tensor = Tensor.zeros(DType.F32, 3, 40_000)) {
      Finite.require("w.npz: bias", tensor);
      tensor.set(Double.NEGATIVE_INFINITY, 2, 7);
      assertRefused(
          () -> Finite.require("w.npz: bias", tensor), "w.npz: bias: element [2, 7] is -Infinity");
      tensor.set(Double.NaN, 2, 6);
      assertRefused(() -> Finite.require("w.npz: bias", tensor), "element [2, 6] is NaN");
    }
    try (Tensor scalar = Tensor.of(Shape.of(), Double.NaN);
        Tensor empty = Tensor.zeros(DType.F64, 0, 2)) {
      assertRefused(() -> Finite.require("x", scalar), "element [] is NaN");
      Finite.require("x", empty);
    }
  }

  @Test
  void anInterruptedReadIsCancelledAndLeaksNothing() {
    long before = Tensor.liveCount();
    Thread.currentThread().interrupt();
    assertThrows(CancelledException.class, () -> Npy.read(resource("f8.npy")));
    assertTrue(Thread.interrupted());
    assertEquals(before, Tensor.liveCount());
  }

  private static Tensor read(byte[] file) throws IOException {
    return Npy.read(new ByteArrayInputStream(file), file.length, null, "test.npy");
  }

  private static byte[] file(int version, String dict, int... data) {
    byte[] bytes = new byte[data.length];
    for (int i = 0; i < data.length; i++) {
      bytes[i] = (byte) data[i];
    }
    return file(version, dict, bytes);
  }

  private static byte[] file(int version, String dict, byte[] data) {
    byte[] text = dict.getBytes(StandardCharsets.ISO_8859_1);
    ByteBuffer file =
        ByteBuffer.allocate(12 + text.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    file.put(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', (byte) version, 0});
    if (version == 1) {
      file.putShort((short) text.length);
    } else {
      file.putInt(text.length);
    }
    file.put(text).put(data);
    return Arrays.copyOf(file.array(), file.position());
  }
}
