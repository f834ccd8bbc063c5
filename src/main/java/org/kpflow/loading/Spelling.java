package org.kpflow.loading;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.regex.Pattern;

/** Names of a user's files in messages, in natural order, and the nearest to a misspelt one. */
final class Spelling {
  /** Orders fc2 before fc10. */
  static final Comparator<String> NATURAL =
      Comparator.comparing(Spelling::padded).thenComparing(Comparator.naturalOrder());

  private static final Pattern NUMBER = Pattern.compile("\\d+");
  private static final int WIDTH = 20;
  private static final int LONGEST = 200;

  private Spelling() {}

  private static String padded(String name) {
    return NUMBER
        .matcher(name)
        .replaceAll(
            found -> "0".repeat(Math.max(0, WIDTH - found.group().length())) + found.group());
  }

  /** The name with every number replaced by a sign: layers of one list have one stem. */
  static String stem(String name) {
    return NUMBER.matcher(name).replaceAll("#");
  }

  /** In quotes, without control characters and not too long. */
  static String quote(String text) {
    String shown = text.replaceAll("[\\p{Cntrl}\\u0080-\\u009f\\u2028\\u2029]", "?");
    return "'" + (shown.length() > 120 ? shown.substring(0, 120) + "..." : shown) + "'";
  }

  /** {@code ; did you mean 'heads'?} for the nearest known name, or nothing if none is near. */
  static String suggestion(String name, Collection<String> known) {
    if (name.length() > LONGEST) {
      return "";
    }
    String lower = name.toLowerCase(Locale.ROOT);
    return known.stream()
        .filter(other -> distance(lower, other) <= Math.max(1, Math.min(name.length(), 12) / 3))
        .min(Comparator.comparingInt(other -> distance(lower, other)))
        .map(other -> "; did you mean " + quote(other) + "?")
        .orElse("");
  }

  /** Insertions, deletions, replacements and swaps from one to the other, letter case aside. */
  private static int distance(String lower, String other) {
    String target = other.toLowerCase(Locale.ROOT);
    int[][] steps = new int[lower.length() + 1][target.length() + 1];
    for (int i = 0; i <= lower.length(); i++) {
      for (int j = 0; j <= target.length(); j++) {
        if (i == 0 || j == 0) {
          steps[i][j] = i + j;
          continue;
        }
        int differs = lower.charAt(i - 1) == target.charAt(j - 1) ? 0 : 1;
        steps[i][j] =
            Math.min(steps[i - 1][j - 1] + differs, 1 + Math.min(steps[i - 1][j], steps[i][j - 1]));
        if (i > 1
            && j > 1
            && lower.charAt(i - 1) == target.charAt(j - 2)
            && lower.charAt(i - 2) == target.charAt(j - 1)) {
          steps[i][j] = Math.min(steps[i][j], steps[i - 2][j - 2] + 1);
        }
      }
    }
    return steps[lower.length()][target.length()];
  }
}
