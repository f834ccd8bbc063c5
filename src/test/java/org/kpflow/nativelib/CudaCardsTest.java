package org.kpflow.nativelib;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The cards of the machine, with CUDA's runtime or without. */
class CudaCardsTest {
  @Test
  void cardsAreListedWhereADriverIs() {
    List<String> cards = CudaCards.list();
    for (String card : cards) {
      assertTrue(card.matches(".+, compute capability \\d+\\.\\d+, \\d+\\.\\d GiB"), card);
    }
    boolean driver = Files.exists(Path.of("/dev/nvidiactl"));
    assertFalse(!driver && !cards.isEmpty(), () -> "no driver, yet " + cards);
  }
}
