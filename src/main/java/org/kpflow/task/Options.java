package org.kpflow.task;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.kpflow.base.InputException;

/** A task's options as they were given in text; remembers which were read. */
final class Options {
  private final String task;
  private final Map<String, String> given;
  private final TreeSet<String> known = new TreeSet<>();

  Options(String task, Map<String, String> given) {
    this.task = task;
    this.given = given;
  }

  /** A whole number of at least {@code least}. */
  int count(String name, int otherwise, int least) {
    String text = take(name);
    if (text == null) {
      return otherwise;
    }
    try {
      int value = Integer.parseInt(text.trim());
      if (value >= least && value <= Sizes.MOST) {
        return value;
      }
    } catch (NumberFormatException wrong) {
      // told below
    }
    throw wrong(name, "a whole number from " + least + " to " + Sizes.MOST, text);
  }

  /** A seed: any whole number. */
  long seed(String name) {
    String text = take(name);
    try {
      return text == null ? 0 : Long.parseLong(text.trim());
    } catch (NumberFormatException wrong) {
      throw wrong(name, "a whole number", text);
    }
  }

  /** A number from {@code least} to {@code most}. */
  double number(String name, double otherwise, double least, double most) {
    String text = take(name);
    if (text == null) {
      return otherwise;
    }
    try {
      double value = Double.parseDouble(text.trim());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException wrong) {
      // told below
    }
    throw wrong(name, "a number from " + least + " to " + most, text);
  }

  /** One of an enum's constants, by its name in small letters. */
  <E extends Enum<E>> E choice(String name, E otherwise) {
    String text = take(name);
    if (text == null) {
      return otherwise;
    }
    E[] choices = otherwise.getDeclaringClass().getEnumConstants();
    for (E choice : choices) {
      if (choice.name().toLowerCase(Locale.ROOT).equals(text.trim())) {
        return choice;
      }
    }
    throw wrong(name, "one of " + Arrays.toString(choices).toLowerCase(Locale.ROOT), text);
  }

  /** Refuses an option that was not read. */
  void requireAllKnown() {
    for (String name : given.keySet()) {
      if (!known.contains(name)) {
        throw new InputException(
            "task option: expected one of " + known + " for " + task + ", got '" + name + "'");
      }
    }
  }

  private String take(String name) {
    known.add(name);
    return given.get(name);
  }

  private InputException wrong(String name, String expected, String got) {
    return new InputException(
        "task option " + name + ": expected " + expected + ", got '" + got + "'");
  }
}
