package org.kpflow.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class NumbersTest {
  @Test
  void aValueIsRoundedToTheSecondDigitOfItsError() {
    assertEquals("0.1234 ± 0.0012", Numbers.withError(0.12341, 0.00123));
    assertEquals("10345 ± 82", Numbers.withError(10345.2, 81.7));
    assertEquals("(3.10 ± 0.42)e-5", Numbers.withError(3.1e-5, 4.2e-6));
    assertEquals("-2.0 ± 1.5", Numbers.withError(-2.04, 1.5));
    assertEquals("(1.2300 ± 0.0045)e12", Numbers.withError(1.23e12, 4.5e9));
    assertEquals("0.000 ± 0.012", Numbers.withError(0, 0.012));
  }

  @Test
  void withoutAnErrorTheValueStandsAlone() {
    assertEquals("2.83123", Numbers.withError(2.8312345, 0));
    assertEquals("2048", Numbers.withError(2048, Double.NaN));
    assertEquals("not a number", Numbers.withError(Double.NaN, 1));
    assertEquals("∞", Numbers.withError(Double.POSITIVE_INFINITY, 1));
    assertEquals("1.23457e-7", Numbers.value(1.234567e-7));
    assertEquals("123457000000", Numbers.value(123457000000.0));
  }

  @Test
  void sharesReadAsPercentages() {
    assertEquals("62.3 %", Numbers.percent(0.6234));
    assertEquals("0.04 %", Numbers.percent(0.0004));
    assertEquals("0.0 %", Numbers.percent(0));
    assertEquals("100.0 %", Numbers.percent(1));
    assertEquals("? %", Numbers.percent(Double.NaN));
  }

  @Test
  void powersOfTenHaveSuperscripts() {
    assertEquals("10⁻¹²", Numbers.powerOfTen(-12));
    assertEquals("10⁰", Numbers.powerOfTen(0));
  }
}
