package org.kpflow.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.base.DType;

class JsonWriterTest {
  private record Estimate(
      double value, double standardError, long matvecs, DType dtype, List<String> notes) {}

  @Test
  void everyDoubleComesBackBitForBit() throws IOException {
    double[] values = {
      Math.PI, 1.0 / 3, 1e-310, Double.MIN_VALUE, -Double.MAX_VALUE, -0.0, 0.1, 123456789.123456789
    };
    List<?> back = (List<?>) roundTrip(values);
    double[] read = back.stream().mapToDouble(v -> ((Number) v).doubleValue()).toArray();
    assertTrue(Arrays.equals(values, read), () -> Arrays.toString(read));
  }

  @Test
  void recordsBecomeObjectsInTheOrderOfTheirComponents() throws IOException {
    Object back =
        roundTrip(new Estimate(1.5, 0.25, 64, DType.F64, List.of("ä \"quoted\" \n line")));
    Map<String, Object> expected = new LinkedHashMap<>();
    expected.put("value", 1.5);
    expected.put("standardError", 0.25);
    expected.put("matvecs", 64L);
    expected.put("dtype", "f64");
    expected.put("notes", List.of("ä \"quoted\" \n line"));
    assertEquals(expected, back);
    assertEquals(List.copyOf(expected.keySet()), List.copyOf(((Map<?, ?>) back).keySet()));
  }

  @Test
  void anEstimateKeepsItsEvidence() throws IOException {
    Map<?, ?> back =
        (Map<?, ?>) roundTrip(new org.kpflow.base.Estimate(1.5, Double.NaN, 64, Long.MIN_VALUE));
    assertEquals(List.of("value", "standardError", "matvecs", "seed"), List.copyOf(back.keySet()));
    assertEquals(1.5, back.get("value"));
    assertEquals(null, back.get("standardError"));
    assertEquals(64L, back.get("matvecs"));
    assertEquals(Long.MIN_VALUE, back.get("seed"));
  }

  @Test
  void nestedMapsListsAndArraysKeepTheirShape() throws IOException {
    Map<String, Object> value = new LinkedHashMap<>();
    value.put("matrix", new double[][] {{1, 2}, {3, 4}});
    value.put("counts", new long[] {Long.MAX_VALUE, 0});
    value.put("big", BigInteger.TWO.pow(80));
    value.put("flag", true);
    value.put("path", Path.of("a", "b"));
    value.put("absent", Optional.empty());
    value.put("nothing", null);
    value.put("float", 0.1f);
    Map<?, ?> back = (Map<?, ?>) roundTrip(value);
    assertEquals(List.of(List.of(1.0, 2.0), List.of(3.0, 4.0)), back.get("matrix"));
    assertEquals(List.of(Long.MAX_VALUE, 0L), back.get("counts"));
    assertEquals(BigInteger.TWO.pow(80), back.get("big"));
    assertEquals(true, back.get("flag"));
    assertEquals(Path.of("a", "b").toString(), back.get("path"));
    assertEquals(null, back.get("absent"));
    assertTrue(back.containsKey("nothing"));
    assertEquals(0.1, back.get("float"));
  }

  @Test
  void numbersThatJsonLacksBecomeNull() throws IOException {
    double[] doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
    assertEquals(Arrays.asList(null, null, null), roundTrip(doubles));
    assertEquals(Arrays.asList(null, null), roundTrip(List.of(Float.NaN, Double.NaN)));
  }

  @Test
  void anUnknownTypeIsRefusedWithItsPlace() {
    Object value = Map.of("views", List.of(1, Map.of("trace", new Object())));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> JsonWriter.write(new ByteArrayOutputStream(), value));
    assertTrue(e.getMessage().startsWith("$.views[1].trace: "), e.getMessage());
  }

  @Test
  void theStreamStaysOpenAndEndsWithANewline() throws IOException {
    boolean[] closed = {false};
    OutputStream out =
        new ByteArrayOutputStream() {
          @Override
          public void close() {
            closed[0] = true;
          }
        };
    JsonWriter.write(out, Map.of("a", 1));
    assertFalse(closed[0]);
    assertEquals("{\n  \"a\" : 1\n}\n", out.toString());
  }

  @Test
  void aFailureLeavesTheOldFileAndNoOther(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("deep/report.json");
    JsonWriter.write(file, List.of("old"));
    assertThrows(
        IllegalArgumentException.class, () -> JsonWriter.write(file, List.of(new Object())));
    assertEquals("[ \"old\" ]\n", Files.readString(file));
    try (var files = Files.list(file.getParent())) {
      assertEquals(List.of(file), files.toList());
    }
  }

  private static Object roundTrip(Object value) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    JsonWriter.write(out, value);
    try (JsonParser parser = new JsonFactory().createParser(out.toString(StandardCharsets.UTF_8))) {
      parser.nextToken();
      Object back = read(parser);
      assertEquals(null, parser.nextToken(), "one value and nothing behind it");
      return back;
    }
  }

  private static Object read(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        Map<String, Object> map = new LinkedHashMap<>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          String name = parser.currentName();
          parser.nextToken();
          map.put(name, read(parser));
        }
        yield map;
      }
      case START_ARRAY -> {
        List<Object> list = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          list.add(read(parser));
        }
        yield list;
      }
      case VALUE_STRING -> parser.getText();
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case VALUE_NUMBER_INT ->
          parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER
              ? parser.getBigIntegerValue()
              : (Object) parser.getLongValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NULL -> null;
      default -> throw new AssertionError(parser.currentToken());
    };
  }
}
