/** The live line of a training run, as text and as a small writer that keeps it calm. */

/** Where the run stands. */
export interface ProgressState {
  readonly step: number;
  readonly steps: number;
  readonly loss?: number;
  /** Losses by name, shown in place of the one. */
  readonly losses?: Readonly<Record<string, number>>;
  readonly tokensPerSecond?: number;
  readonly samplesPerSecond?: number;
  readonly secondsLeft?: number;
}

/** A number in at most about four digits: `11.2 k`, `983`, `4.51 M`. */
export function formatCount(value: number): string {
  if (!Number.isFinite(value)) return "?";
  const units = ["", " k", " M", " G", " T"];
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${Number(scaled.toPrecision(3))}${units[unit]}`;
}

/** Seconds in words: `8 s`, `1 min 12 s`, `2 h 05 min`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${pad(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}

/** `step 120/1500 · loss 2.3145 · 11.2 k tok/s · 1 min 12 s left`; what is not known is left out. */
export function formatProgress(state: ProgressState): string {
  const { step, steps, loss, losses, tokensPerSecond, samplesPerSecond, secondsLeft } = state;
  const parts = [`step ${step}/${steps}`];
  const shown = Object.entries(losses ?? (loss === undefined ? {} : { loss }));
  for (const [name, value] of shown)
    parts.push(`${name} ${Number.isFinite(value) ? value.toFixed(4) : value}`);
  if (tokensPerSecond !== undefined) parts.push(`${formatCount(tokensPerSecond)} tok/s`);
  if (samplesPerSecond !== undefined) parts.push(`${formatCount(samplesPerSecond)} samples/s`);
  if (secondsLeft !== undefined) parts.push(`${formatDuration(secondsLeft)} left`);
  return parts.join(" · ");
}

/** Where progress goes: stderr, or anything that takes text. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Seconds between two lines where the stream is no terminal. Default 10: a log of minutes stays readable. */
  readonly interval?: number;
  /** Bold loss on a terminal. Default: on a terminal; the command line turns it off under NO_COLOR. */
  readonly color?: boolean;
  /** Milliseconds, for tests. */
  readonly now?: () => number;
}

/** A terminal line is drawn at most this often, so that drawing costs nothing beside the training. */
const redrawMilliseconds = 100;

export interface Progress {
  /** Shows the state, unless it was shown too recently; the last step is always shown. */
  update(state: ProgressState): void;
  /** A whole line of its own, above the live one. */
  note(text: string): void;
  /** Leaves the live line standing and goes to the next. */
  end(): void;
}

/** One live line on a terminal (at most 10 times a second), plain lines every `interval` seconds elsewhere. */
export function createProgress(stream: ProgressStream, options: ProgressOptions = {}): Progress {
  const { interval = 10, now = Date.now } = options;
  const live = stream.isTTY === true;
  const bold = live && (options.color ?? true);
  const pause = live ? redrawMilliseconds : interval * 1000;
  let shownAt = Number.NEGATIVE_INFINITY;
  let line = "";
  const draw = (): void => void stream.write(`\r\u001b[2K${bold ? boldLoss(line) : line}`);
  return {
    update(state) {
      const time = now();
      if (time - shownAt < pause && state.step < state.steps) return;
      shownAt = time;
      line = fit(formatProgress(state), live ? stream.columns : undefined);
      if (live) draw();
      else stream.write(`${line}\n`);
    },
    note(text) {
      stream.write(live && line !== "" ? `\r\u001b[2K${text}\n` : `${text}\n`);
      if (live && line !== "") draw();
    },
    end() {
      if (live && line !== "") stream.write("\n");
      line = "";
    },
  };
}

/** A line longer than the terminal would wrap and could not be taken back. A width of 0 is one that is not known. */
function fit(text: string, columns = 0): string {
  return columns === 0 || text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
}

function boldLoss(text: string): string {
  return text.replace(/loss \S+/, (found) => `\u001b[1m${found}\u001b[22m`);
}
