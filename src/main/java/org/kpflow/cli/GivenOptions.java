package org.kpflow.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.kpflow.base.InputException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * The options of a command as texts by name, those that change no bit of its result left out. A
 * file is its name and the digest of its content, so that it may be moved but not changed.
 */
final class GivenOptions {
  private static final Set<String> WITHOUT_EFFECT =
      Set.of(
          "--help",
          "--version",
          "--debug",
          "--steps",
          "--stop-below",
          "--threads",
          "--device",
          "--out",
          "--json");

  private GivenOptions() {}

  /**
   * The options of a command.
   *
   * @param resolved values in place of those whose default the command finds itself
   */
  static Map<String, String> of(CommandSpec command, Map<String, ?> resolved) {
    Map<String, String> given = new LinkedHashMap<>();
    for (OptionSpec option : command.options()) {
      if (!WITHOUT_EFFECT.contains(option.longestName()) && !option.hidden()) {
        given.put(option.longestName(), text(option.longestName(), option.getValue()));
      }
    }
    resolved.forEach((name, value) -> given.put(name, value.toString()));
    return given;
  }

  private static String text(String option, Object value) {
    if (value == null) {
      return "none";
    }
    if (value instanceof Path file) {
      return file.getFileName() + " (sha256 " + digest(option, file) + ")";
    }
    if (value instanceof List<?> items) {
      return items.stream().map(String::valueOf).collect(Collectors.joining(","));
    }
    return value instanceof Map<?, ?> entries
        ? new TreeMap<>(entries).toString()
        : String.valueOf(value);
  }

  private static String digest(String option, Path file) {
    try (InputStream stream = Files.newInputStream(file)) {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      new DigestInputStream(stream, sha).transferTo(OutputStream.nullOutputStream());
      return HexFormat.of().formatHex(sha.digest(), 0, 8);
    } catch (IOException failure) {
      throw new InputException(
          option + " " + file + ": cannot be read, " + failure.getMessage(), failure);
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
