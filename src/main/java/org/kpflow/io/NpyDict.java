package org.kpflow.io;

import java.util.Arrays;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;

/**
 * A strict scanner of the one Python literal that an .npy header is: a dict with exactly the keys
 * descr (a string), fortran_order (True or False) and shape (a tuple of whole numbers), in any
 * order.
 */
final class NpyDict {
  private static final int MOST_AXES = 64; // numpy's own limit

  private final String text;
  private final String where;
  private int at;

  private String descr;
  private Boolean fortranOrder;
  private Shape shape;

  NpyDict(String text, String where) {
    this.text = text;
    this.where = where;
  }

  /**
   * What the dict says.
   *
   * @throws InputException if the text is anything else
   */
  Npy.Header parse() {
    expect('{');
    while (!accept('}')) {
      String key = string("a key");
      expect(':');
      value(key);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skipSpace();
    if (at < text.length()) {
      throw fault("nothing after the dict");
    }
    require(descr, "descr");
    require(fortranOrder, "fortran_order");
    require(shape, "shape");
    return new Npy.Header(shape, descr, fortranOrder);
  }

  private void require(Object value, String key) {
    if (value == null) {
      throw Fault.of(where, "the header has no '%s'; expected descr, fortran_order and shape", key);
    }
  }

  private void value(String key) {
    switch (key) {
      case "descr" -> {
        once(descr, key);
        descr = descr();
      }
      case "fortran_order" -> {
        once(fortranOrder, key);
        fortranOrder = bool();
      }
      case "shape" -> {
        once(shape, key);
        shape = shape();
      }
      default ->
          throw Fault.of(
              where,
              "the header has a key %s; expected only descr, fortran_order and shape",
              Fault.quote(key));
    }
  }

  private void once(Object value, String key) {
    if (value != null) {
      throw Fault.of(where, "the header has the key '%s' twice; expected it once", key);
    }
  }

  private String descr() {
    skipSpace();
    if (at < text.length() && text.charAt(at) == '[') {
      throw Fault.of(where, "holds records of several fields; expected an array of plain numbers");
    }
    return string("a type such as '<f8'");
  }

  private boolean bool() {
    skipSpace();
    for (boolean value : new boolean[] {true, false}) {
      String word = value ? "True" : "False";
      if (text.startsWith(word, at)) {
        at += word.length();
        return value;
      }
    }
    throw fault("True or False");
  }

  private Shape shape() {
    long[] sizes = new long[MOST_AXES];
    int axes = 0;
    boolean comma = true;
    expect('(');
    while (!accept(')')) {
      if (!comma) {
        throw fault("',' or ')'");
      }
      if (axes == MOST_AXES) {
        throw Fault.of(
            where, "the header has a shape of more than %d axes; expected at most that", MOST_AXES);
      }
      sizes[axes++] = size();
      comma = accept(',');
    }
    if (axes == 1 && !comma) {
      throw fault("a tuple such as (3,)"); // in Python, (3) is a number
    }
    try {
      return Shape.of(Arrays.copyOf(sizes, axes));
    } catch (IllegalArgumentException wrong) {
      throw Fault.of(where, "the header's %s", wrong.getMessage());
    }
  }

  private long size() {
    skipSpace();
    int start = at;
    if (at < text.length() && text.charAt(at) == '-') {
      at++;
    }
    int digits = at;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    if (at == digits) {
      throw fault("a whole number");
    }
    try {
      long size = Long.parseLong(text.substring(start, at));
      if (at < text.length() && text.charAt(at) == 'L') {
        at++; // numpy under Python 2 wrote 3L
      }
      return size;
    } catch (NumberFormatException tooLarge) {
      throw Fault.of(
          where,
          "the header has a size of %s; expected below 2^60",
          Fault.quote(text.substring(start, at)));
    }
  }

  private String string(String what) {
    skipSpace();
    char mark = at < text.length() ? text.charAt(at) : 0;
    int end = mark == '\'' || mark == '"' ? text.indexOf(mark, at + 1) : -1;
    if (end < 0) {
      throw fault(what + " in quotes");
    }
    String value = text.substring(at + 1, end);
    at = end + 1;
    return value;
  }

  private void expect(char wanted) {
    if (!accept(wanted)) {
      throw fault("'" + wanted + "'");
    }
  }

  private boolean accept(char wanted) {
    skipSpace();
    boolean found = at < text.length() && text.charAt(at) == wanted;
    at += found ? 1 : 0;
    return found;
  }

  private void skipSpace() {
    while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private InputException fault(String expected) {
    return Fault.of(
        where,
        "the header is not what numpy writes: expected %s at %s",
        expected,
        at < text.length() ? "character " + at + " of " + Fault.quote(text) : "its end");
  }
}
