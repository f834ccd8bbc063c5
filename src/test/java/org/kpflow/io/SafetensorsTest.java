package org.kpflow.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.kpflow.io.TestFiles.assertRefused;
import static org.kpflow.io.TestFiles.bytes;
import static org.kpflow.io.TestFiles.resource;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

class SafetensorsTest {
  @TempDir private Path directory;

  @Test
  void allFloatingTypesAreReadAndTheOthersLeftOut() {
    try (TensorMap tensors = Safetensors.read(resource("mixed.safetensors"), null)) {
      assertEquals(
          List.of("wide", "half", "brain", "scalar", "empty", "cube"),
          List.copyOf(tensors.names()));
      assertEquals(DType.F64, tensors.get("wide").dtype());
      assertArrayEquals(
          new double[] {1.5, -2.25, 3, 4, 1e-300, -0.0}, tensors.get("wide").toDoubles());
      assertEquals(Shape.of(), tensors.get("scalar").shape());
      assertEquals(2.5, tensors.get("scalar").get());
      assertEquals(Shape.of(0, 4), tensors.get("empty").shape());
      assertEquals(23, tensors.get("cube").get(1, 2, 3));
      assertEquals(Map.of("format", "pt", "note", "ünïcode"), tensors.metadata());
      assertFalse(tensors.contains("steps"));
      assertRefused(
          () -> tensors.get("steps"),
          "mixed.safetensors: tensor 'steps' is of dtype I64; expected F32, F64");
      assertRefused(
          () -> tensors.get("Wide"), "no tensor 'Wide'; there are 'wide', 'half', 'brain'");
    }
  }

  @Test
  void sixteenBitTypesWidenExactly() {
    for (DType dtype : DType.values()) {
      try (TensorMap tensors = Safetensors.read(resource("mixed.safetensors"), dtype);
          Tensor halves = Npy.read(resource("f2_as_f4.npy"), dtype);
          Tensor brains = Npy.read(resource("brain_as_f4.npy"), dtype)) {
        assertEquals(dtype, tensors.get("half").dtype());
        assertArrayEquals(halves.toDoubles(), tensors.get("half").toDoubles());
        assertArrayEquals(brains.toDoubles(), tensors.get("brain").toDoubles());
        assertEquals(0x1p-133, tensors.get("brain").toDoubles()[2], "the smallest subnormal");
        assertRefused(
            () -> Finite.require("brain", tensors.get("brain")), "brain: element [8] is Infinity");
      }
    }
  }

  @Test
  void theHeaderAloneListsEveryTensor() {
    Safetensors.Header header = Safetensors.header(resource("mixed.safetensors"));
    assertEquals(new Safetensors.Entry("I64", Shape.of(1), 92, 100), header.entries().get("steps"));
    assertEquals("pt", header.metadata().get("format"));
  }

  @Test
  void whatIsWrittenComesBackInItsOrder() throws IOException {
    Path file = directory.resolve("x.safetensors");
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    try (Tensor narrow = Tensor.of(Shape.of(3), 1f, Float.MIN_VALUE, -3f);
        Tensor wide = Tensor.of(Shape.of(2, 1), 1e-300, Math.PI);
        Tensor scalar = Tensor.of(Shape.of(), 4.0);
        Tensor empty = Tensor.zeros(DType.F32, 2, 0)) {
      tensors.put("narrow \"quoted\" ü", narrow);
      tensors.put("wide", wide);
      tensors.put("empty", empty);
      tensors.put("scalar", scalar);
      Safetensors.write(file, tensors, Map.of("seed", "7"));
      try (TensorMap read = Safetensors.read(file, null)) {
        assertEquals(List.copyOf(tensors.keySet()), List.copyOf(read.names()));
        assertEquals(Map.of("seed", "7"), read.metadata());
        tensors.forEach(
            (name, tensor) -> {
              assertEquals(tensor.shape(), read.get(name).shape());
              assertEquals(tensor.dtype(), read.get(name).dtype());
              assertArrayEquals(tensor.toDoubles(), read.get(name).toDoubles());
            });
      }
      assertEquals(
          0,
          ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8);
      assertThrows(
          IllegalArgumentException.class,
          () -> Safetensors.write(file, Map.of("__metadata__", wide), Map.of()));
      Safetensors.write(file, Map.of(), Map.of());
    }
    try (TensorMap read = Safetensors.read(file, null)) {
      assertEquals(0, read.size());
    }
    assertArrayEquals(new String[] {"x.safetensors"}, directory.toFile().list());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        // The data are 16 bytes in every case.
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}}|",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]},'b':{'dtype':'F32','shape':[0],'data_offsets':[0,0]}}|",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[8,16]},'b':{'dtype':'I64','shape':[1],'data_offsets':[0,8]}}|",
        "{'a':{'dtype':'F4','shape':[32],'data_offsets':[0,16],'later':{'x':[1]}}}  |",
        "{'a':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}} | take 12 bytes but 16 follow",
        "{'a':{'dtype':'F32','shape':[3],'data_offsets':[4,16]}} | begins at byte 4, which leaves a hole; expected 0",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'b':{'dtype':'F32','shape':[3],'data_offsets':[4,16]}} | an overlap",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]},'b':{'dtype':'F32','shape':[0],'data_offsets':[8,8]}} | an overlap",
        "{'a':{'dtype':'F32','shape':[5],'data_offsets':[0,20]}} | ends at byte 20 but 16 bytes of data follow",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,12]}} | (16 bytes) but data_offsets of 12",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[16,0]}} | begin at most end",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0]}} | expected [begin, end]",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[-16,0]}} | -16 in it; expected at least 0",
        "{'a':{'dtype':'F32','shape':[-4],'data_offsets':[0,16]}} | -4 in it; expected at least 0",
        "{'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,16]}} | overflows",
        "{'a':{'dtype':'F32','shape':[99999999999999999999],'data_offsets':[0,16]}} | not sound JSON",
        "{'a':{'dtype':'F32','shape':[4.0],'data_offsets':[0,16]}} | something else than whole numbers",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,null]}} | something else than whole numbers",
        "{'a':{'dtype':'F32','shape':4,'data_offsets':[0,16]}} | a shape that is no list",
        "{'a':{'dtype':'F33','shape':[4],'data_offsets':[0,16]}} | unknown dtype 'F33'",
        "{'a':{'dtype':32,'shape':[4],'data_offsets':[0,16]}} | a dtype that is no text",
        "{'a':{'shape':[4],'data_offsets':[0,16]}} | has no dtype",
        "{'a':{'dtype':'F32','data_offsets':[0,16]}} | has no shape",
        "{'a':{'dtype':'F32','shape':[4]}} | has no data_offsets",
        "{'a':[0,16]} | tensor 'a' is not an object",
        "{'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]},'a':{'dtype':'F32','shape':[2],'data_offsets':[8,16]}} | Duplicate field 'a'",
        "{'__metadata__':{'a':1},'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}} | expected only texts",
        "{'__metadata__':'pt','a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}} | is not an object",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]} | not sound JSON",
        "{'a':{'dtype':'F32','shape':[4],'data_offsets':[0,16]}} {} | goes on after its JSON object",
        "{'a':{'dtype':'F32',/**/'shape':[4],'data_offsets':[0,16]}} | not sound JSON",
        "[] | not a JSON object",
        "{} | take 0 bytes but 16 follow",
      })
  void aHeaderThatDoesNotCoverTheDataSaysWhy(String json, String fault) throws IOException {
    Path file = file(json.replace('\'', '"'), 16);
    if (fault == null) {
      Safetensors.read(file, null).close();
    } else {
      assertRefused(() -> Safetensors.read(file, null), file + ": ", fault);
    }
  }

  @Test
  void lengthsNestingAndNamesAreBounded() throws IOException {
    for (long length : new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE, 1000}) {
      byte[] bytes = bytes("mixed.safetensors");
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
      Path file = Files.write(directory.resolve("long.safetensors"), bytes);
      assertRefused(
          () -> Safetensors.read(file, null),
          "the header claims "
              + Long.toUnsignedString(length)
              + " bytes but "
              + (bytes.length - 8)
              + " follow");
    }
    Path deep = file("{\"a\":{\"x\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}}", 0);
    assertRefused(() -> Safetensors.read(deep, null), "not sound JSON");
    Path named = file("{\"" + "a".repeat(1_000_000) + "\":{}}", 0);
    assertRefused(() -> Safetensors.read(named, null), "not sound JSON");
    Path axes = file("{\"a\":{\"shape\":[" + "1,".repeat(70) + "1]}}", 0);
    assertRefused(() -> Safetensors.read(axes, null), "more than 64");
    byte[] latin = Files.readAllBytes(file("{\"ab\":{}}", 0));
    latin[10] = (byte) 0xe4;
    Path encoded = Files.write(directory.resolve("latin.safetensors"), latin);
    assertRefused(() -> Safetensors.read(encoded, null), "not UTF-8");
  }

  private Path file(String json, int data) throws IOException {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    byte[] bytes =
        ByteBuffer.allocate(8 + text.length + data)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(text.length)
            .put(text)
            .array();
    return Files.write(directory.resolve("test.safetensors"), bytes);
  }
}
