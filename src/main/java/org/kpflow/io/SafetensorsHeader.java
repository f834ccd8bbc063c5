package org.kpflow.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;

/**
 * Reads the JSON head of a .safetensors file and checks that its tensors cover the data without
 * holes or overlaps.
 */
final class SafetensorsHeader {
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();
  private static final int MOST_AXES = 64;
  private static final String METADATA = "__metadata__";
  private static final String ENTRY_KEYS = "expected dtype, shape and data_offsets";

  /** Bits of an element of every type that the format knows, whether it can be read or not. */
  private static final Map<String, Integer> BITS =
      Map.ofEntries(
          Map.entry("BOOL", 8),
          Map.entry("U8", 8),
          Map.entry("I8", 8),
          Map.entry("U16", 16),
          Map.entry("I16", 16),
          Map.entry("U32", 32),
          Map.entry("I32", 32),
          Map.entry("U64", 64),
          Map.entry("I64", 64),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("F32", 32),
          Map.entry("F64", 64),
          Map.entry("C64", 64),
          Map.entry("F4", 4),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E8M0", 8));

  private final String where;
  private final JsonParser json;
  private final Map<String, Safetensors.Entry> entries = new LinkedHashMap<>();
  private Map<String, String> metadata = Map.of();

  private SafetensorsHeader(JsonParser json, String where) {
    this.json = json;
    this.where = where;
  }

  /**
   * What the JSON text says of a file with {@code follow} bytes of data.
   *
   * @throws InputException if it is not the head of such a file
   */
  static Safetensors.Header parse(String text, long follow, String where) {
    if (!text.startsWith("{")) {
      throw Fault.of(where, "the header is not a JSON object; expected it to begin with '{'");
    }
    try (JsonParser json = JSON.createParser(text)) {
      SafetensorsHeader header = new SafetensorsHeader(json, where);
      header.parseObject();
      header.requireCover(follow);
      return new Safetensors.Header(header.entries, header.metadata);
    } catch (JsonProcessingException fault) {
      // Jackson's faults of size and nesting have no location.
      String at =
          fault.getLocation() == null ? "" : " at character " + fault.getLocation().getCharOffset();
      throw Fault.of(
          where,
          "the header is not sound JSON%s (%s); expected one object",
          at,
          fault.getOriginalMessage());
    } catch (IOException impossible) {
      throw Fault.io(where, "read", impossible);
    }
  }

  private void parseObject() throws IOException {
    json.nextToken();
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String name = json.currentName();
      if (name.equals(METADATA)) {
        json.nextToken();
        metadata = metadata();
      } else {
        entries.put(name, entry(name));
      }
    }
    if (json.nextToken() != null) {
      throw Fault.of(where, "the header goes on after its JSON object; expected only spaces there");
    }
  }

  private Map<String, String> metadata() throws IOException {
    Map<String, String> result = new LinkedHashMap<>();
    require(
        json.currentToken() == JsonToken.START_OBJECT,
        METADATA,
        "is not an object; expected names with texts");
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String name = json.currentName();
      require(
          json.nextToken() == JsonToken.VALUE_STRING,
          METADATA,
          "has a value that is no text; expected only texts");
      result.put(name, json.getText());
    }
    return result;
  }

  private Safetensors.Entry entry(String name) throws IOException {
    String dtype = null;
    long[] sizes = null;
    long[] offsets = null;
    require(json.nextToken() == JsonToken.START_OBJECT, name, "is not an object; " + ENTRY_KEYS);
    while (json.nextToken() != JsonToken.END_OBJECT) {
      String key = json.currentName();
      json.nextToken();
      switch (key) {
        case "dtype" -> {
          require(
              json.currentToken() == JsonToken.VALUE_STRING,
              name,
              "has a dtype that is no text; expected one such as \"F32\"");
          dtype = json.getText();
        }
        case "shape" -> sizes = numbers(name, key);
        case "data_offsets" -> offsets = numbers(name, key);
        default -> json.skipChildren();
      }
    }
    require(dtype != null, name, "has no dtype; " + ENTRY_KEYS);
    require(sizes != null, name, "has no shape; " + ENTRY_KEYS);
    require(offsets != null, name, "has no data_offsets; " + ENTRY_KEYS);
    return checked(name, dtype, sizes, offsets);
  }

  private Safetensors.Entry checked(String name, String dtype, long[] sizes, long[] offsets) {
    require(
        BITS.containsKey(dtype),
        name,
        "is of unknown dtype " + Fault.quote(dtype) + "; expected one such as F32");
    require(
        offsets.length == 2 && offsets[0] <= offsets[1],
        name,
        "has data_offsets "
            + Arrays.toString(offsets)
            + "; expected [begin, end] with begin at most end");
    Shape shape;
    try {
      shape = Shape.of(sizes);
    } catch (IllegalArgumentException wrong) {
      throw Fault.of(where, "tensor %s: %s", Fault.quote(name), wrong.getMessage());
    }
    // Counts fit a long at 8 bytes an element, the most there is; at 64 bits they may not.
    int bits = BITS.get(dtype);
    long bytes =
        bits >= Byte.SIZE
            ? shape.count() * (bits / Byte.SIZE)
            : (shape.count() * bits + Byte.SIZE - 1) / Byte.SIZE;
    long length = offsets[1] - offsets[0];
    require(
        bytes == length,
        name,
        "has shape "
            + shape
            + " of "
            + dtype
            + " ("
            + bytes
            + " bytes) but data_offsets of "
            + length
            + " bytes");
    return new Safetensors.Entry(dtype, shape, offsets[0], offsets[1]);
  }

  private long[] numbers(String name, String key) throws IOException {
    long[] values = new long[MOST_AXES];
    int count = 0;
    require(
        json.currentToken() == JsonToken.START_ARRAY,
        name,
        "has a " + key + " that is no list; expected whole numbers");
    while (json.nextToken() != JsonToken.END_ARRAY) {
      require(
          count < MOST_AXES,
          name,
          "has a " + key + " of more than " + MOST_AXES + " numbers; expected fewer");
      require(
          json.currentToken() == JsonToken.VALUE_NUMBER_INT,
          name,
          "has a " + key + " with something else than whole numbers in it");
      values[count] = json.getLongValue();
      require(
          values[count] >= 0,
          name,
          "has a " + key + " with " + values[count] + " in it; expected at least 0");
      count++;
    }
    return Arrays.copyOf(values, count);
  }

  private void require(boolean condition, String name, String problem) {
    if (!condition) {
      throw Fault.of(where, "tensor %s %s", Fault.quote(name), problem);
    }
  }

  /**
   * The tensors' bytes, in the order of their offsets, are all of the data: no holes, no overlaps,
   * nothing outside.
   */
  private void requireCover(long follow) {
    List<Map.Entry<String, Safetensors.Entry>> ordered = new ArrayList<>(entries.entrySet());
    ordered.sort(
        Comparator.<Map.Entry<String, Safetensors.Entry>>comparingLong(
                entry -> entry.getValue().begin())
            .thenComparingLong(entry -> entry.getValue().end()));
    long covered = 0;
    for (Map.Entry<String, Safetensors.Entry> entry : ordered) {
      long begin = entry.getValue().begin();
      long end = entry.getValue().end();
      require(
          end <= follow,
          entry.getKey(),
          "ends at byte "
              + end
              + " but "
              + follow
              + " bytes of data follow; is the file truncated?");
      require(
          begin == covered,
          entry.getKey(),
          "begins at byte "
              + begin
              + ", which leaves "
              + (begin < covered ? "an overlap" : "a hole")
              + "; expected "
              + covered);
      covered = end;
    }
    if (covered != follow) {
      throw Fault.of(
          where,
          "the tensors take %d bytes but %d follow; expected nothing after the data",
          covered,
          follow);
    }
  }
}
