package org.kpflow.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/**
 * Writes nested values as indented JSON (UTF-8, a newline at the end). Values: maps, iterables,
 * arrays, records (an object of their components, in order), optionals, numbers, strings, paths,
 * booleans, enums (as their {@code toString}) and null. Doubles and floats keep every digit that
 * tells them apart; NaN and the infinities become null, because JSON has none.
 */
public final class JsonWriter {
  private JsonWriter() {}

  /**
   * Writes the value to a file, which appears whole or not at all; missing directories are made.
   *
   * @throws IllegalArgumentException for a value of another type, naming its place
   * @throws IOException if the file cannot be written
   */
  public static void write(Path file, Object value) throws IOException {
    AtomicFile.write(file, out -> write(out, value));
  }

  /**
   * Writes the value to a stream, which is flushed and stays open (for standard output).
   *
   * @throws IllegalArgumentException for a value of another type, naming its place; a part may have
   *     been written
   * @throws IOException if the stream refuses
   */
  public static void write(OutputStream out, Object value) throws IOException {
    DefaultIndenter lines = new DefaultIndenter("  ", "\n");
    JsonGenerator json = new JsonFactory().createGenerator(out);
    json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
    // Without this, an exception would be followed by closing brackets that make a broken document
    // look complete.
    json.disable(JsonGenerator.Feature.AUTO_CLOSE_JSON_CONTENT);
    json.setPrettyPrinter(new DefaultPrettyPrinter().withObjectIndenter(lines));
    try (json) {
      write(json, value, "$");
    }
    out.write("\n".getBytes(StandardCharsets.UTF_8));
    out.flush();
  }

  private static void write(JsonGenerator json, Object value, String place) throws IOException {
    if (value == null) {
      json.writeNull();
    } else if (value instanceof Number number) {
      writeNumber(json, number);
    } else if (value instanceof Boolean flag) {
      json.writeBoolean(flag);
    } else if (value instanceof CharSequence
        || value instanceof Character
        || value instanceof Enum<?>) {
      json.writeString(value.toString());
    } else if (value instanceof Path path) { // before Iterable, which a path is too
      json.writeString(path.toString());
    } else if (value instanceof Optional<?> optional) {
      write(json, optional.orElse(null), place);
    } else if (value instanceof Map<?, ?> map) {
      writeMap(json, map, place);
    } else if (value instanceof Iterable<?> items) {
      writeItems(json, items, place);
    } else if (value.getClass().isArray()) {
      writeArray(json, value, place);
    } else if (value instanceof Record structure) {
      writeRecord(json, structure, place);
    } else {
      throw new IllegalArgumentException(
          place
              + ": expected a map, list, array, record, number, string or boolean, got "
              + value.getClass().getName());
    }
  }

  private static void writeNumber(JsonGenerator json, Number number) throws IOException {
    if (number instanceof Double) {
      writeDouble(json, number.doubleValue());
    } else if (number instanceof Float && Float.isFinite(number.floatValue())) {
      json.writeNumber(
          number
              .floatValue()); // its own digits: as a double, 0.1f would become 0.10000000149011612
    } else if (number instanceof Float) {
      json.writeNull();
    } else if (number instanceof BigInteger big) {
      json.writeNumber(big);
    } else if (number instanceof BigDecimal big) {
      json.writeNumber(big);
    } else {
      json.writeNumber(number.longValue());
    }
  }

  private static void writeDouble(JsonGenerator json, double number) throws IOException {
    if (Double.isFinite(number)) {
      json.writeNumber(number);
    } else {
      json.writeNull();
    }
  }

  private static void writeMap(JsonGenerator json, Map<?, ?> map, String place) throws IOException {
    json.writeStartObject();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      String name = String.valueOf(entry.getKey());
      json.writeFieldName(name);
      write(json, entry.getValue(), place + "." + name);
    }
    json.writeEndObject();
  }

  private static void writeItems(JsonGenerator json, Iterable<?> items, String place)
      throws IOException {
    json.writeStartArray();
    int index = 0;
    for (Object item : items) {
      write(json, item, place + "[" + index++ + "]");
    }
    json.writeEndArray();
  }

  private static void writeArray(JsonGenerator json, Object array, String place)
      throws IOException {
    json.writeStartArray();
    int length = Array.getLength(array);
    for (int i = 0; i < length; i++) {
      if (array instanceof double[] numbers) { // the long ones: no boxing and no text for the place
        writeDouble(json, numbers[i]);
      } else {
        write(json, Array.get(array, i), place + "[" + i + "]");
      }
    }
    json.writeEndArray();
  }

  private static void writeRecord(JsonGenerator json, Record structure, String place)
      throws IOException {
    json.writeStartObject();
    for (RecordComponent component : structure.getClass().getRecordComponents()) {
      json.writeFieldName(component.getName());
      write(json, component(structure, component, place), place + "." + component.getName());
    }
    json.writeEndObject();
  }

  private static Object component(Record structure, RecordComponent component, String place) {
    try {
      // A record that is not public hides its accessors from other packages.
      component.getAccessor().setAccessible(true);
      return component.getAccessor().invoke(structure);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new IllegalArgumentException(place + "." + component.getName() + ": cannot be read", e);
    }
  }
}
