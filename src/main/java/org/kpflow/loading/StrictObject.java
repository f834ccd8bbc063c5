package org.kpflow.loading;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.InputException;

/**
 * A JSON object that a user wrote, read strictly: a key that is not known, comes twice or has a
 * value of the wrong type is an error that names the file, the key and what would be right.
 */
final class StrictObject {
  private static final ObjectMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final String source;
  private final JsonNode object;

  /** The object of a node; the source is for messages. */
  StrictObject(JsonNode object, String source) {
    this.source = source;
    this.object = object;
    if (object == null || !object.isObject()) {
      throw new InputException(source + ": expected a JSON object, got " + shown(object));
    }
  }

  /** The object that a file holds. */
  static StrictObject read(Path file, String expected) {
    if (!Files.isRegularFile(file)) {
      throw new InputException(file + ": no such file; expected " + expected);
    }
    try {
      return parse(Files.readString(file), file.toString());
    } catch (IOException failure) {
      throw new InputException(
          file + ": cannot be read as UTF-8 text, " + failure.getMessage(), failure);
    }
  }

  static StrictObject parse(String text, String source) {
    try {
      return new StrictObject(JSON.readTree(text), source);
    } catch (JacksonException broken) {
      String where =
          broken.getLocation() == null
              ? ""
              : " in line "
                  + broken.getLocation().getLineNr()
                  + ", column "
                  + broken.getLocation().getColumnNr();
      throw new InputException(
          source
              + ": not valid JSON"
              + where
              + ": "
              + broken.getOriginalMessage().replaceAll("\\s*\\R\\s*", " "),
          broken);
    }
  }

  static StrictObject of(Map<String, ?> values, String source) {
    return new StrictObject(JSON.valueToTree(values), source);
  }

  /** Where it comes from, for messages. */
  String source() {
    return source;
  }

  Collection<String> keys() {
    List<String> keys = new ArrayList<>();
    object.fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  boolean has(String key) {
    return object.has(key);
  }

  /** Refuses keys other than these. */
  void requireKnown(Collection<String> known) {
    for (String key : keys()) {
      if (!known.contains(key)) {
        throw new InputException(
            source
                + ": key "
                + Spelling.quote(key)
                + " is not known"
                + Spelling.suggestion(key, known)
                + " (the keys are "
                + String.join(", ", known)
                + ")");
      }
    }
  }

  /** The exception for a key's value. */
  InputException fault(String key, String expected) {
    return new InputException(
        source
            + ": key '"
            + key
            + "': expected "
            + expected
            + (isNull(key) && !expected.endsWith("; fill it in") ? "; fill it in" : "")
            + ", got "
            + (has(key) ? shown(object.get(key)) : "nothing"));
  }

  private static String shown(JsonNode value) {
    if (value == null || value.isMissingNode()) {
      return "nothing";
    }
    return value.isTextual() ? Spelling.quote(value.asText()) : shortened(value.toString());
  }

  private static String shortened(String json) {
    return json.length() > 120 ? json.substring(0, 120) + "..." : json;
  }

  /** A text, or null if there is no such key. */
  String text(String key) {
    JsonNode value = object.get(key);
    if (value != null && !value.isTextual()) {
      throw fault(key, "a text in quotes");
    }
    return value == null ? null : value.asText();
  }

  /** One of some texts, or null if there is no such key. */
  String oneOf(String key, List<String> choices) {
    String value = text(key);
    if (value != null && !choices.contains(value)) {
      throw new InputException(
          fault(key, "one of " + String.join(", ", choices)).getMessage()
              + Spelling.suggestion(value, choices));
    }
    return value;
  }

  /** A text; null if there is no such key, or if it is false. */
  String textOrFalse(String key) {
    JsonNode value = object.get(key);
    if (value != null && !value.isTextual() && !(value.isBoolean() && !value.booleanValue())) {
      throw fault(key, "a text in quotes, or false for none");
    }
    return value == null || value.isBoolean() ? null : value.asText();
  }

  boolean isNull(String key) {
    return has(key) && object.get(key).isNull();
  }

  /** Whether the key is there and false. */
  boolean isFalse(String key) {
    return has(key) && object.get(key).isBoolean() && !object.get(key).booleanValue();
  }

  boolean flag(String key, boolean otherwise) {
    JsonNode value = object.get(key);
    if (value != null && !value.isBoolean()) {
      throw fault(key, "true or false");
    }
    return value == null ? otherwise : value.booleanValue();
  }

  /** A finite number, or null if there is no such key. */
  Double number(String key) {
    JsonNode value = object.get(key);
    if (value != null && !(value.isNumber() && Double.isFinite(value.doubleValue()))) {
      throw fault(key, "a number");
    }
    return value == null ? null : value.doubleValue();
  }

  /** A number above 0, or null if there is no such key. */
  Double positive(String key) {
    Double value = number(key);
    if (value != null && !(value > 0)) {
      throw fault(key, "a number above 0");
    }
    return value;
  }

  /** A number above 0 or a list of such numbers, or null if there is no such key. */
  double[] positives(String key) {
    JsonNode value = object.get(key);
    if (value == null || !value.isArray()) {
      Double single = positive(key);
      return single == null ? null : new double[] {single};
    }
    double[] numbers = new double[value.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = value.get(i).isNumber() ? value.get(i).doubleValue() : Double.NaN;
      if (!(numbers[i] > 0 && Double.isFinite(numbers[i]))) {
        throw fault(key, "a number above 0, or a list of them");
      }
    }
    return numbers;
  }

  /** An integer of at least some number that fits an int, or null if there is no such key. */
  Integer count(String key, int least) {
    JsonNode value = object.get(key);
    if (value != null
        && !(value.isIntegralNumber() && value.canConvertToInt() && value.intValue() >= least)) {
      throw fault(key, "an integer of at least " + least);
    }
    return value == null ? null : value.intValue();
  }

  /** A text or a list of texts; empty if there is no such key. */
  List<String> texts(String key) {
    JsonNode value = object.get(key);
    if (value == null) {
      return List.of();
    }
    List<String> texts = new ArrayList<>();
    for (JsonNode item : value.isTextual() ? List.of(value) : value) {
      if (!item.isTextual()) {
        throw fault(key, "a list of texts, such as [\"...\"]");
      }
      texts.add(item.asText());
    }
    if (!value.isArray() && !value.isTextual()) {
      throw fault(key, "a list of texts, such as [\"...\"]");
    }
    return texts;
  }

  /** A list of texts, or one text with commas between them as on a command line. */
  List<String> parts(String key) {
    List<String> parts = texts(key);
    if (isText(key)) {
      parts = Arrays.stream(parts.get(0).split(",", -1)).map(String::strip).toList();
    }
    if (parts.stream().anyMatch(String::isBlank)) {
      throw fault(key, "texts that are not empty, in a list or with commas between them");
    }
    return parts;
  }

  /** The same; {@code all} is an empty list. */
  List<String> partsOrAll(String key) {
    List<String> parts = parts(key);
    return parts.equals(List.of("all")) ? List.of() : parts;
  }

  /** The value of a key as it stands. */
  JsonNode value(String key) {
    return object.get(key);
  }

  /** The same as maps, lists, texts, numbers and booleans. */
  Object plain(String key) {
    return JSON.convertValue(object.get(key), Object.class);
  }

  boolean isText(String key) {
    return has(key) && object.get(key).isTextual();
  }

  /** The object of a key, or null if there is no such key. */
  StrictObject object(String key, String expected) {
    JsonNode value = object.get(key);
    if (value != null && !value.isObject()) {
      throw fault(key, expected);
    }
    return value == null ? null : new StrictObject(value, source + ": key '" + key + "'");
  }

  /** All keys with their values, which have to be texts. */
  Map<String, String> allTexts() {
    Map<String, String> all = new LinkedHashMap<>();
    for (String key : keys()) {
      all.put(key, text(key));
    }
    return all;
  }

  @Override
  public String toString() {
    return object.toString();
  }
}
