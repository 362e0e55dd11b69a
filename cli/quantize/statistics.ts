/** How much a quantised array differs from what it was. */

export interface ErrorFigures {
  readonly elements: number;
  /** Signal to quantisation noise, 10 log₁₀(Σ x² / Σ (x - y)²), in dB; null where it is exact or there is nothing. */
  readonly sqnr: number | null;
  /** Every element is what it was. */
  readonly exact: boolean;
  /** Largest |x - y| / |x| of numbers that are not zero; 1 where one is flushed to zero. Null: there is none. */
  readonly maxRelativeError: number | null;
  /** The same of those that are neither saturated nor flushed to zero: what rounding alone does. */
  readonly maxRelativeErrorInRange: number | null;
  /** Share of elements that were larger than the largest value of their scale. */
  readonly saturated: number;
  /** Share of elements that became zero and were not. */
  readonly flushed: number;
  /** NaN and infinite elements that came in; they count in `elements` and nothing else. */
  readonly nan: number;
  readonly infinite: number;
  /** Numbers that became NaN or infinite; not in `sqnr`, nor in the errors. */
  readonly lost: number;
}

/** Bins of the histogram of relative errors: octaves, the last one from 1 up. */
export const histogramLow = -30;
const histogramBins = 1 - histogramLow;

/** float32 division and multiplication may miss the top by a little: that is not saturation. */
const slack = 1 + 2 ** -22;

/** Sums that grow with every element. */
export class ErrorStatistics {
  #elements = 0;
  #signal = 0;
  #noise = 0;
  #worst = -1;
  #worstInRange = -1;
  #saturated = 0;
  #flushed = 0;
  #nan = 0;
  #infinite = 0;
  #lost = 0;
  #exact = 0;
  /** Elements by ⌊log₂(relative error)⌋, from {@link histogramLow} to 0. */
  readonly histogram = new Float64Array(histogramBins);

  /**
   * Counts one element.
   *
   * @param x    as it was.
   * @param y    quantised and decoded.
   * @param top  the largest magnitude that its scale allows.
   */
  add(x: number, y: number, top: number): void {
    this.#elements++;
    const magnitude = Math.abs(x);
    if (!(magnitude < Infinity)) {
      if (Number.isNaN(x)) this.#nan++;
      else this.#infinite++;
      return;
    }
    const saturated = magnitude > top * slack;
    if (saturated) this.#saturated++;
    if (!Number.isFinite(y)) {
      this.#lost++;
      return;
    }
    this.#signal += x * x;
    if (x === y) this.#exact++;
    else this.#addError(Math.abs(x - y), magnitude, saturated, y === 0);
    if (x === y && x !== 0) this.#addRelative(0, true);
  }

  #addError(error: number, magnitude: number, saturated: boolean, isZero: boolean): void {
    this.#noise += error * error;
    const flushed = isZero && magnitude > 0;
    if (flushed) this.#flushed++;
    if (magnitude === 0) return;
    const relative = error / magnitude;
    this.#addRelative(relative, !saturated && !flushed);
    const bin = Math.floor(Math.log2(relative)) - histogramLow;
    this.histogram[Math.max(0, Math.min(histogramBins - 1, bin))]++;
  }

  #addRelative(error: number, inRange: boolean): void {
    if (error > this.#worst) this.#worst = error;
    if (inRange && error > this.#worstInRange) this.#worstInRange = error;
  }

  /** Takes in what another has counted. */
  include(other: ErrorStatistics): void {
    this.#elements += other.#elements;
    this.#signal += other.#signal;
    this.#noise += other.#noise;
    this.#worst = Math.max(this.#worst, other.#worst);
    this.#worstInRange = Math.max(this.#worstInRange, other.#worstInRange);
    this.#saturated += other.#saturated;
    this.#flushed += other.#flushed;
    this.#nan += other.#nan;
    this.#infinite += other.#infinite;
    this.#lost += other.#lost;
    this.#exact += other.#exact;
    for (const [bin, count] of other.histogram.entries()) this.histogram[bin] += count;
  }

  /** Elements that stayed what they were. */
  get exactElements(): number {
    return this.#exact;
  }

  figures(): ErrorFigures {
    const share = (count: number): number => count / Math.max(1, this.#elements);
    const known = (error: number): number | null => (error < 0 ? null : error);
    const ratio = this.#signal / this.#noise;
    return {
      elements: this.#elements,
      sqnr: ratio > 0 && ratio < Infinity ? 10 * Math.log10(ratio) : null,
      exact: this.#exact === this.#elements,
      maxRelativeError: known(this.#worst),
      maxRelativeErrorInRange: known(this.#worstInRange),
      saturated: share(this.#saturated),
      flushed: share(this.#flushed),
      nan: this.#nan,
      infinite: this.#infinite,
      lost: this.#lost,
    };
  }
}
