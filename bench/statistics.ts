// The interval shown everywhere is the least and the greatest of the rounds. For the median it is a
// confidence interval of 94 percent at five rounds and of 98 percent at seven (sign test).
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new Error('no values to take a median of');
  return (lower + upper) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The order of a round: nobody always comes after the same side. */
export function rotated<T>(sides: readonly T[], round: number): T[] {
  const first = round % sides.length;
  return [...sides.slice(first), ...sides.slice(0, first)];
}

/** Ratios of what ran in the same round, so that a slow minute of the machine is in both. */
export function pairedRatios(numerators: readonly number[], denominators: readonly number[]): Spread {
  return spreadOf(
    numerators.map((numerator, round) => {
      const denominator = denominators[round];
      if (denominator === undefined) throw new Error(`round ${round} has no partner`);
      return numerator / denominator;
    }),
  );
}
