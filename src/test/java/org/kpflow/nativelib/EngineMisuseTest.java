package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.KpflowException;
import org.kpflow.base.MemoryException;
import org.kpflow.nativelib.RecurrentDescription.CellTrajectory;
import org.kpflow.nativelib.RecurrentDescription.Layer;

/** The facade of the native library: whatever the sizes, native code stays inside its arrays. */
class EngineMisuseTest {
  private static final long[] ODD = {
    Long.MIN_VALUE,
    -(1L << 32),
    -3,
    -1,
    0,
    1,
    2,
    3,
    5,
    8,
    64,
    1L << 31,
    1L << 32,
    1L << 61,
    1L << 62,
    Long.MAX_VALUE
  };

  private ContextHandle context;
  private NativeMemory memory;
  private NativeMemory other;
  private long live;

  @BeforeEach
  void allocate() {
    live = NativeMemory.liveCount();
    context = new ContextHandle(Device.CPU, 2);
    memory = NativeMemory.allocate(512);
    other = NativeMemory.allocate(512);
  }

  @AfterEach
  void free() {
    other.close();
    memory.close();
    context.close();
    assertEquals(live, NativeMemory.liveCount(), "leaks");
  }

  @Test
  void sizesThatDoNotFitTheMemoryAreRefusedWithTheNumbers() {
    DType f64 = DType.F64;
    refused(() -> Engine.dot(context, f64, 9, 8, memory, other), "512 bytes", "72");
    refused(() -> Engine.dot(context, f64, -1, -8, memory, other), "size", "-1");
    refused(() -> Engine.dot(context, f64, 1L << 62, 8, memory, other), "overflows");
    refused(() -> Engine.axpby(context, f64, 65, 1, memory, 0, other), "512 bytes", "65");
    refused(() -> Engine.axpby(context, f64, -1, 1, memory, 0, other), "-1");
    refused(() -> Engine.symmetricEigen(9, memory, false), "512 bytes", "81");
    refused(() -> Engine.symmetricEigen(-3, memory, false), "-3");
    refused(() -> Engine.svd(-2, -2, memory, null, null), "-2");
    refused(() -> Engine.svd(2, 2, memory, other, null), "come together");
    refused(() -> Engine.orthonormalize(context, f64, 3, 2, memory), "at most 2 rows");
    refused(() -> Engine.orthonormalize(context, f64, -1, 2, memory), "-1");
    refused(() -> Engine.copy(memory, other.span(0, 8)), "different lengths");
    refused(() -> Engine.fillRandom(context, f64, 3, 0, 0, 4, memory), "distribution", "3");
    refused(() -> Engine.fillRandom(context, f64, 0, 0, -1, 4, memory), "offset", "-1");
    refused(() -> Engine.accumulateGram(context, f64, 1, 2, 2, 2, memory, 8, 1, other), "keep");
    refused(() -> Engine.accumulateGram(context, f64, 1, 2, 2, 2, memory, 0, 1, other), "keep");
    refused(
        () -> Engine.gemm(context, f64, false, false, 8, 8, 9, 1, memory, other, 0, other), "72");
  }

  @Test
  void spansAndCopiesStayInside() {
    double[] doubles = new double[4];
    float[] floats = new float[4];
    refused(() -> memory.span(-1, 8), "span", "-1");
    refused(() -> memory.span(505, 8), "span", "505");
    refused(() -> memory.span(Long.MAX_VALUE, 8), "span");
    refused(MemoryException.class, () -> NativeMemory.allocate(Long.MAX_VALUE), "allocate");
    refused(() -> NativeMemory.allocate(-1), "bytes", "-1");
    for (int[] part : new int[][] {{0, 5}, {-1, 2}, {3, 2}, {0, -1}, {Integer.MAX_VALUE, 2}}) {
      refused(() -> memory.put(0, doubles, part[0], part[1]), "array");
      refused(() -> memory.get(0, doubles, part[0], part[1]), "array");
      refused(() -> memory.put(0, floats, part[0], part[1]), "array");
      refused(() -> memory.get(0, floats, part[0], part[1]), "array");
      refused(() -> memory.put(0, new byte[4], part[0], part[1]), "array");
      refused(() -> memory.get(0, new byte[4], part[0], part[1]), "array");
    }
    refused(() -> memory.get(-8, doubles, 0, 1), "access");
    refused(() -> memory.get(505, doubles, 0, 1), "access");
    refused(() -> memory.put(Long.MAX_VALUE, doubles, 0, 1), "access");
  }

  /** Offsets of borrowed memory count bytes from the buffer's position, as those of any other. */
  @Test
  void memoryOfABufferIsItsPartFromPositionToLimit() {
    DoubleBuffer buffer =
        ByteBuffer.allocateDirect(12 * 8).order(ByteOrder.nativeOrder()).asDoubleBuffer();
    for (int i = 0; i < 12; i++) {
      buffer.put(i, i);
    }
    double[] two = new double[2];
    try (NativeMemory borrowed = NativeMemory.of(buffer.position(2).limit(8))) { // 2 to 7
      assertEquals(48, borrowed.bytes());
      borrowed.get(0, two, 0, 2);
      assertArrayEquals(new double[] {2, 3}, two);
      borrowed.get(8, two, 0, 2);
      assertArrayEquals(new double[] {3, 4}, two);
      borrowed.span(16, 32).get(16, two, 0, 2);
      assertArrayEquals(new double[] {6, 7}, two);
      Engine.copy(borrowed.span(16, 8), memory.span(0, 8));
      memory.get(0, two, 0, 1);
      assertEquals(4, two[0]);
      borrowed.span(24, 8).put(0, new double[] {-5}, 0, 1);
      Engine.copy(memory.span(0, 8), borrowed.span(40, 8));
      refused(() -> borrowed.get(40, two, 0, 2), "access");
    }
    double[] expected = {0, 1, 2, 3, 4, -5, 6, 4, 8, 9, 10, 11};
    double[] found = new double[12];
    buffer.clear().get(found);
    assertArrayEquals(expected, found);
  }

  @Test
  void whatIsClosedIsRefused() {
    NativeMemory gone = NativeMemory.allocate(512);
    gone.close();
    ContextHandle goneContext = new ContextHandle(Device.CPU, 1);
    goneContext.close();
    closed(() -> Engine.copy(gone, memory));
    closed(() -> Engine.axpby(context, DType.F64, 4, 1, gone, 0, memory));
    closed(() -> Engine.axpby(goneContext, DType.F64, 4, 1, other, 0, memory));
    closed(() -> Engine.symmetricEigen(4, gone, true));
    closed(() -> gone.put(0, new double[1], 0, 1));
  }

  /** One random call; what it throws must be ours, and it must come back at all. */
  private void randomCall(Random random) {
    DType dtype = DType.values()[random.nextInt(2)];
    long[] n = random.longs(6, 0, ODD.length).map(i -> ODD[(int) i]).toArray();
    long[] sizes = {n[0], n[1], n[2]};
    int code = random.nextInt(10) - 1;
    boolean flag = random.nextBoolean();
    switch (random.nextInt(9)) {
      case 0 -> Engine.axpby(context, dtype, n[0], 1, memory, 0.5, other);
      case 1 -> Engine.dot(context, dtype, n[0], n[1], memory, other);
      case 2 ->
          Engine.gemm(context, dtype, flag, !flag, n[0], n[1], n[2], 1, memory, memory, 0, other);
      case 3 ->
          Engine.stridedAxpby(
              context,
              sizes,
              1,
              dtype,
              memory,
              new long[] {n[3], n[4], n[5]},
              0,
              dtype,
              other,
              sizes);
      case 4 ->
          Engine.accumulateGram(context, dtype, n[0], n[1], n[2], n[3], memory, code, 1, other);
      case 5 -> Engine.fillRandom(context, dtype, code, n[0], n[1], n[2], memory);
      case 6 -> Engine.symmetricEigen(n[0], memory, flag);
      case 7 -> Engine.svd(n[0], n[1], memory, flag ? other : null, flag ? other : null);
      default -> Engine.orthonormalize(context, dtype, n[0], n[1], memory);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void randomSizesAreDoneOrRefused(long seed) {
    Random random = new Random(seed);
    int refused = 0;
    for (int i = 0; i < 20_000; i++) {
      try {
        randomCall(random);
      } catch (IllegalArgumentException | KpflowException expected) {
        assertTrue(expected.getMessage() != null && !expected.getMessage().isEmpty());
        refused++;
      }
    }
    assertTrue(refused > 1000 && refused < 20_000, "refused " + refused);
  }

  /** The same for a linearization's products, states, sites and step Jacobians. */
  @ParameterizedTest
  @ValueSource(strings = {"GRU", "LSTM", "LEAKY"})
  void randomProductsOfALinearizationAreDoneOrRefused(String kind) {
    Random random = new Random(4);
    try (Sample sample = new Sample(Kind.valueOf(kind), DType.F64, new Sizes(2, 2, 2, 2), 1)) {
      LinearizationHandle handle = sample.linearize().handle();
      int done = 0;
      for (int i = 0; i < 5_000; i++) {
        long size = ODD[random.nextInt(ODD.length)];
        int code = random.nextInt(12) - 1;
        boolean flag = random.nextBoolean();
        NativeMemory part = other.span(0, 8L * random.nextInt(64));
        try {
          switch (random.nextInt(4)) {
            case 0 -> handle.apply(code, random.nextInt(6) - 1, flag, size, memory, part);
            case 1 -> handle.state(part);
            case 2 -> handle.sites(random.nextInt(6) - 1, part);
            default -> handle.stepJacobians(size, ODD[random.nextInt(ODD.length)], part);
          }
          done++;
        } catch (IllegalArgumentException | KpflowException expected) {
          assertTrue(expected.getMessage() != null && !expected.getMessage().isEmpty());
        }
      }
      assertTrue(done > 500 && done < 4_500, "done " + done);
    }
  }

  @Test
  void descriptionsOfModelsAreChecked() {
    for (int trainable : new int[] {-1, 16, 4}) { // 4: a bias that is not there
      refused(
          () -> linearize("gru", trainable, 1, 1, 1, 1), trainable == 4 ? "bias_ih" : "trainable");
    }
    refused(() -> linearize("transformer", 3, 1, 1, 1, 1), "cell", "gru", "'transformer'");
    for (long bad : new long[] {-1, 0, 100, 1L << 40, Long.MAX_VALUE}) {
      String[] one = {""};
      refused(() -> linearize("gru", 3, bad, 2, 1, 1), one);
      refused(() -> linearize("gru", 3, 1, bad, 1, 1), one);
      refused(() -> linearize("gru", 3, 1, 1, bad, 1), one);
      refused(() -> linearize("gru", 3, 1, 1, 1, bad), one);
    }
    refused(() -> RecurrentDescription.cellShape("x"), "cell", "'x'");
  }

  @Test
  void whatIsNoGraphIsRefused() {
    GraphDescription.Node good = node(0, 0, 3, 1, 0, -1, 0, 0);
    refused(() -> graph(1, 1, 1), "nodes", "expected 1");
    for (long bad : new long[] {-1, 0, 1L << 40, Long.MAX_VALUE}) {
      String[] one = {""};
      refused(() -> graph(bad, 1, 1, good), one);
      refused(() -> graph(1, bad, 1, good), one);
      refused(() -> graph(1, 1, bad, good), one);
      refused(() -> graph(1, 1, 1, node(0, 0, 3, bad, 0, -1, 0, 0)), one);
    }
    refused(() -> graph(1, 1, 1, node(7, 0, 0, 1, 0, -1, 0, 0)), "node 0, kind", "7");
    refused(() -> graph(1, 1, 1, node(0, 9, 0, 1, 0, -1, 0, 0)), "node 0, activation", "9");
    refused(() -> graph(1, 1, 1, node(0, 0, 0, 1, 0, 0, 0, 0)), "input 0", "earlier node");
    refused(() -> graph(1, 1, 1, good, node(3, 0, 0, 1, 0, 5, 0, 0)), "node 1, input 0", "5");
    refused(() -> graph(1, 1, 2, node(3, 0, 0, 1, 0, -1, 0, 0)), "expected 1 units, got 2");
    refused(() -> graph(1, 1, 4, node(1, 0, 0, 4, 3, -1, 0, 0)), "heads", "divisor of 4", "3");
    refused(() -> graph(1, 1, 4, node(1, 0, 0, 4, 0, -1, 0, 0)), "heads", "divisor of 4", "0");
    refused(() -> graph(1, 1, 4, node(1, 0, 1, 4, 2, -1, 0, 0)), "trainable");
    refused(() -> graph(1, 1, 1, node(2, 0, 0, 1, 0, -1, 0, 0)), "epsilon", "above 0");
    refused(() -> graph(1, 1, 1, node(2, 0, 0, 1, 0, -1, 0, Double.NaN)), "epsilon");
    graph(1, 1, 1, good);
  }

  private GraphDescription.Node node(
      int kind,
      int activation,
      int trainable,
      long units,
      long heads,
      long input,
      long other,
      double epsilon) {
    boolean weights = kind == 0 || kind == 2;
    return new GraphDescription.Node(
        "node",
        kind,
        activation,
        (trainable & 1) != 0,
        (trainable & 2) != 0,
        false,
        units,
        heads,
        new long[] {input, kind == 3 || kind == 1 ? input : other, input},
        epsilon,
        weights ? memory : null,
        weights ? memory : null);
  }

  private void graph(long trials, long steps, long inputs, GraphDescription.Node... nodes) {
    LinearizationHandle.graph(
            context,
            new GraphDescription(DType.F64, trials, steps, inputs, List.of(nodes), memory, null))
        .close();
  }

  private void linearize(String cell, int trainable, long b, long t, long inputs, long units) {
    linearize(
        cell,
        0,
        0,
        new long[] {b, t, inputs, units},
        List.of(new Layer(trainable, memory, memory, null, null, null)));
  }

  private void linearize(String cell, int gates, int components, long[] sizes, List<Layer> layers) {
    LinearizationHandle.recurrent(
            context,
            new RecurrentDescription(
                cell,
                0,
                gates,
                components,
                DType.F64,
                sizes[0],
                sizes[1],
                sizes[2],
                sizes[3],
                layers,
                memory,
                null,
                null))
        .close();
  }

  /** Each array holds 64 numbers; 2 rows of 2 units have 2 g m + m m + m derivatives each. */
  @Test
  void descriptionsOfStacksAndComputedCellsAreChecked() {
    long[] sizes = {1, 2, 1, 2};
    Layer plain = new Layer(3, memory, memory, null, null, null);
    CellTrajectory trajectory = new CellTrajectory(memory, memory, memory);
    Layer computed = new Layer(3, memory, memory, null, null, trajectory);
    linearize("gru", 0, 0, sizes, List.of(plain, plain, plain));
    linearize(null, 2, 1, sizes, List.of(computed, computed));
    linearize(null, 1, 2, sizes, List.of(computed));
    refused(() -> linearize("gru", 0, 0, sizes, List.of()), "layers");
    refused(() -> linearize("gru", 0, 0, sizes, List.of(plain, computed)), "cell");
    refused(() -> linearize(null, 1, 1, sizes, List.of(computed, plain)), "cell");
    for (int bad : new int[] {-1, 0, 3, 33, Integer.MAX_VALUE}) {
      refused(() -> linearize(null, bad, 2, sizes, List.of(computed)), "");
      refused(() -> linearize(null, 2, bad, sizes, List.of(computed)), "");
    }
    for (long bad : new long[] {-1, 0, 100, 1L << 40, Long.MAX_VALUE}) {
      for (int axis = 0; axis < 4; axis++) {
        long[] wrong = sizes.clone();
        wrong[axis] = bad;
        refused(() -> linearize(null, 2, 1, wrong, List.of(computed)), "");
        refused(() -> linearize("gru", 0, 0, wrong, List.of(plain, plain)), "");
      }
    }
  }

  @Test
  void requestsForEigenpairsAreChecked() {
    Arpack.Product identity = (x, y) -> Engine.copy(x, y);
    for (long[] bad : // size, modes, basis, which
        List.of(
            new long[] {40, 0, 20, 0},
            new long[] {40, 2, 2, 0},
            new long[] {40, 2, 41, 0},
            new long[] {1, 1, 2, 0},
            new long[] {40, 2, 20, 4},
            new long[] {40, 2, 20, -1},
            new long[] {-1, 2, 20, 0},
            new long[] {100, 2, 20, 0},
            new long[] {1L << 62, 2, 20, 0})) {
      Arpack.Request request =
          new Arpack.Request(DType.F64, bad[0], bad[1], bad[2], 10, 0, (int) bad[3]);
      try (NativeMemory vectors = NativeMemory.allocate(8 * 400)) {
        memory.put(0, new double[] {1, 2, 3}, 0, 3);
        refused(() -> Arpack.eigsh(context, request, null, identity, memory, vectors), "");
      }
    }
  }
}
