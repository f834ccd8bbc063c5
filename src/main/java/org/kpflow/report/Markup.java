package org.kpflow.report;

/** Text made safe inside HTML and XML, in content and in quoted attributes. */
final class Markup {
  private Markup() {}

  /**
   * Escapes the five special characters and replaces the control characters that neither language
   * allows.
   */
  static String escape(String text) {
    StringBuilder escaped = new StringBuilder(text.length() + 16);
    text.codePoints()
        .forEach(
            point -> {
              switch (point) {
                case '&' -> escaped.append("&amp;");
                case '<' -> escaped.append("&lt;");
                case '>' -> escaped.append("&gt;");
                case '"' -> escaped.append("&quot;");
                case '\'' -> escaped.append("&#39;");
                default -> escaped.appendCodePoint(isAllowed(point) ? point : 0xFFFD);
              }
            });
    return escaped.toString();
  }

  /** One line without control characters, never empty: what the plots can draw as a label. */
  static String label(String text) {
    String line = text.replaceAll("[\\p{Cntrl}\\u2028\\u2029]+", " ").strip();
    return line.isEmpty() ? "(no name)" : line;
  }

  private static boolean isAllowed(int point) {
    if (point < 0x20) {
      return point == '\t' || point == '\n' || point == '\r';
    }
    boolean surrogate = point >= 0xD800 && point <= 0xDFFF;
    boolean noncharacter = (point & 0xFFFE) == 0xFFFE;
    boolean latinControl = point >= 0x7F && point <= 0x9F;
    return !surrogate && !noncharacter && !latinControl;
  }
}
