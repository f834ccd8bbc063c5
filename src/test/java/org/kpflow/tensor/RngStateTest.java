package org.kpflow.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.base.DType;
import org.kpflow.tensor.RngState.Distribution;

/** The random stream against Philox4x32-10 written again, and its numbers against their laws. */
class RngStateTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Ten rounds of Philox4x32 (Salmon et al. 2011, table 2) on words that are unsigned 32-bit. */
  private static long[] philox(long[] counter, long[] key) {
    long[] c = counter.clone();
    long[] k = key.clone();
    long mask = 0xFFFFFFFFL;
    for (int round = 0; round < 10; round++) {
      long left = 0xD2511F53L * c[0];
      long right = 0xCD9E8D57L * c[2];
      c =
          new long[] {
            right >>> 32 ^ c[1] ^ k[0], right & mask, left >>> 32 ^ c[3] ^ k[1], left & mask
          };
      k[0] = k[0] + 0x9E3779B9L & mask;
      k[1] = k[1] + 0xBB67AE85L & mask;
    }
    return c;
  }

  private static double[] draw(RngState state, DType dtype, Distribution law, int count) {
    try (Tensor out = Tensor.zeros(dtype, count)) {
      assertEquals(state.advance(count), state.fill(CONTEXT, law, out));
      return out.toDoubles();
    }
  }

  /** Test vectors that come with the authors' Random123. */
  @Test
  void philoxWrittenAgainGivesThePublishedAnswers() {
    assertArrayEquals(
        new long[] {0x6627e8d5L, 0xe169c58dL, 0xbc57ac4cL, 0x9b00dbd8L},
        philox(new long[4], new long[2]));
    assertArrayEquals(
        new long[] {0xd16cfe09L, 0x94fdccebL, 0x5001e420L, 0x24126ea1L},
        philox(
            new long[] {0x243f6a88L, 0x85a308d3L, 0x13198a2eL, 0x03707344L},
            new long[] {0xa4093822L, 0x299f31d0L}));
  }

  /** Element i is half i mod 2 of counter i / 2: 52 bits of two words, at the cell's centre. */
  @Test
  void theUniformStreamIsThatOfPhilox() {
    for (long seed : new long[] {0, 1, -1, 0x123456789ABCDEFL}) {
      for (long position : new long[] {0, 5, (1L << 33) - 3}) {
        double[] drawn = draw(new RngState(seed, position), DType.F64, Distribution.UNIFORM, 41);
        for (int i = 0; i < drawn.length; i++) {
          long block = (position + i) / 2;
          int first = (int) ((position + i) % 2) * 2;
          long[] counter = {block & 0xFFFFFFFFL, block >>> 32, 0, 0};
          long[] words = philox(counter, new long[] {seed & 0xFFFFFFFFL, seed >>> 32});
          long bits = (words[first] << 32 | words[first + 1]) >>> 12;
          assertEquals((bits + 0.5) * 0x1p-52, drawn[i], "element " + (position + i));
        }
      }
    }
  }

  @Test
  void theGaussiansAreBoxAndMullersOfTheUniforms() {
    double[] uniform = draw(RngState.of(9), DType.F64, Distribution.UNIFORM, 100);
    double[] gaussian = draw(RngState.of(9), DType.F64, Distribution.GAUSSIAN, 100);
    for (int i = 0; i < 100; i += 2) {
      double radius = Math.sqrt(-2 * Math.log(uniform[i]));
      double angle = 2 * Math.PI * uniform[i + 1];
      assertEquals(radius * Math.cos(angle), gaussian[i], 1e-14 * Math.max(1, radius));
      assertEquals(radius * Math.sin(angle), gaussian[i + 1], 1e-14 * Math.max(1, radius));
    }
  }

  @ParameterizedTest
  @EnumSource(Distribution.class)
  void neitherBlocksNorThreadsNorTheTypeChangeTheNumbers(Distribution law) {
    int count = 40_001; // several of the generator's chunks, and odd
    double[] whole = draw(RngState.of(3), DType.F64, law, count);
    for (int threads = 1; threads <= 3; threads++) {
      for (int block : new int[] {1 + count / 7, 16_385, count}) {
        try (ExecutionContext context = ExecutionContext.withThreads(threads);
            Tensor pieces = Tensor.zeros(DType.F64, count)) {
          RngState state = RngState.of(3);
          for (int first = 0; first < count; first += block) {
            state = state.fill(context, law, pieces.slice(first, Math.min(block, count - first)));
          }
          assertEquals(RngState.of(3).advance(count), state);
          assertArrayEquals(whole, pieces.toDoubles());
        }
      }
    }
    double[] narrow = Arrays.stream(whole).map(value -> (float) value).toArray();
    assertArrayEquals(narrow, draw(RngState.of(3), DType.F32, law, count));
  }

  /** Moments of a million numbers within four of their standard errors. */
  @Test
  void theMomentsAreThoseOfTheLaw() {
    int count = 1_000_000;
    double[] gaussian = draw(RngState.of(4), DType.F64, Distribution.GAUSSIAN, count);
    double[] moments = new double[5];
    double neighbours = 0;
    for (int i = 0; i < count; i++) {
      for (int power = 1; power <= 4; power++) {
        moments[power] += Math.pow(gaussian[i], power) / count;
      }
      neighbours += i > 0 ? gaussian[i] * gaussian[i - 1] / count : 0;
    }
    assertEquals(0, moments[1], 4 * Math.sqrt(1.0 / count));
    assertEquals(1, moments[2], 4 * Math.sqrt(2.0 / count));
    assertEquals(0, moments[3], 4 * Math.sqrt(15.0 / count));
    assertEquals(3, moments[4], 4 * Math.sqrt(96.0 / count));
    assertEquals(0, neighbours, 4 * Math.sqrt(1.0 / count));
    double[] signs = draw(RngState.of(5), DType.F64, Distribution.RADEMACHER, count);
    assertTrue(Arrays.stream(signs).allMatch(value -> Math.abs(value) == 1));
    assertEquals(0, Arrays.stream(signs).sum() / count, 4 * Math.sqrt(1.0 / count));
    double[] uniform = draw(RngState.of(6), DType.F64, Distribution.UNIFORM, count);
    assertTrue(Arrays.stream(uniform).allMatch(value -> value > 0 && value < 1));
    assertEquals(0.5, Arrays.stream(uniform).sum() / count, 4 * Math.sqrt(1.0 / 12 / count));
  }

  @Test
  void splitStreamsDiffer() {
    double[] own = draw(RngState.of(7), DType.F64, Distribution.UNIFORM, 8);
    double[] first = draw(RngState.of(7).split(1), DType.F64, Distribution.UNIFORM, 8);
    double[] second = draw(RngState.of(7).split(2), DType.F64, Distribution.UNIFORM, 8);
    assertNotEquals(own[0], first[0]);
    assertNotEquals(first[0], second[0]);
    assertEquals(RngState.of(7).split(1), RngState.of(7).split(1));
  }
}
