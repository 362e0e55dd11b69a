/**
 * Python's pickles as far as a `state_dict` of tensors goes: protocol 2, no code. What a pickle names and this reader's caller does not
 * know is refused, so nothing that a file says is ever run.
 *
 * Pure functions on bytes; they run in the page too.
 *
 * @source Python's `pickletools`, whose names of the operations are used here.
 */

/** A pickle that is cut off or holds more than data. */
export class PickleError extends Error {
  override readonly name = "PickleError";
  readonly file: string;
  /** Where it went wrong, counted from the pickle's start. */
  readonly byte: number;

  constructor(file: string, byte: number, reason: string) {
    super(`logrung: "${file}" is not a state_dict that can be read: byte ${byte} of its pickle: ${reason}`);
    this.file = file;
    this.byte = byte;
  }
}

/** A class or function that a pickle names. */
export class PickleGlobal {
  /** Module and name, as in `collections.OrderedDict`. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** What a pickle may say besides data. */
export interface PickleVocabulary {
  /** Names that may occur. */
  readonly globals: ReadonlySet<string>;
  /** The object that calling a global makes. @throws Error with the reason, for arguments that do not fit. */
  readonly call: (path: string, args: readonly unknown[]) => unknown;
  /** An object that lies outside the pickle. @throws Error with the reason. */
  readonly persistent: (id: unknown) => unknown;
}

/** What was read, and the first byte behind it. Dictionaries are Maps; tuples and lists, arrays. */
export interface Unpickled {
  readonly value: unknown;
  readonly end: number;
}

/**
 * Reads one pickle.
 *
 * @param at    where it begins.
 * @param file  name used in errors.
 * @throws PickleError for a name outside the vocabulary, any other operation, and bytes that end too early.
 */
export function unpickle(bytes: Uint8Array, at: number, file: string, vocabulary: PickleVocabulary): Unpickled {
  return new Machine(bytes, at, file, vocabulary).run();
} // prettier-ignore

const text = new TextDecoder("utf-8");
const letter = (operation: string): number => operation.charCodeAt(0);

class Machine {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly file: string;
  private readonly vocabulary: PickleVocabulary;
  private readonly start: number;
  private at: number;
  private readonly stack: unknown[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly operations: ReadonlyMap<number, () => void>;

  constructor(bytes: Uint8Array, at: number, file: string, vocabulary: PickleVocabulary) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.file = file;
    this.vocabulary = vocabulary;
    this.start = at;
    this.at = at;
    this.operations = new Map([...this.ofValues(), ...this.ofContainers(), ...this.ofObjects()]);
  }

  run(): Unpickled {
    for (;;) {
      const operation = this.byte();
      if (operation === letter(".")) return { value: this.pop(), end: this.at };
      const act = this.operations.get(operation);
      if (!act) return this.fail(`operation 0x${operation.toString(16)}, which no state_dict needs`);
      act();
    }
  }

  private ofValues(): [number, () => void][] {
    const push = (read: () => unknown) => (): void => void this.stack.push(read());
    return [
      [0x80, () => this.expectProtocol()],
      [letter("N"), push(() => null)],
      [0x88, push(() => true)],
      [0x89, push(() => false)],
      [letter("K"), push(() => this.byte())],
      [letter("M"), push(() => this.view.getUint16(this.take(2), true))],
      [letter("J"), push(() => this.view.getInt32(this.take(4), true))],
      [0x8a, push(() => this.long(this.byte()))],
      [letter("G"), push(() => this.view.getFloat64(this.take(8)))],
      [letter("X"), push(() => this.characters(this.view.getUint32(this.take(4), true)))],
      [letter("U"), push(() => this.characters(this.byte()))],
    ];
  }

  private ofContainers(): [number, () => void][] {
    const tuple = (count: number) => (): void => void this.stack.push(this.popMany(count));
    return [
      [letter("("), () => void this.marks.push(this.stack.length)],
      [letter(")"), tuple(0)],
      [0x85, tuple(1)],
      [0x86, tuple(2)],
      [0x87, tuple(3)],
      [letter("t"), () => void this.stack.push(this.popToMark())],
      [letter("]"), () => void this.stack.push([])],
      [letter("}"), () => void this.stack.push(new Map())],
      [letter("a"), () => this.append(this.popMany(1))],
      [letter("e"), () => this.append(this.popToMark())],
      [letter("s"), () => this.setItems(this.popMany(2))],
      [letter("u"), () => this.setItems(this.popToMark())],
    ];
  }

  private ofObjects(): [number, () => void][] {
    const wide = (): number => this.view.getUint32(this.take(4), true);
    return [
      [letter("q"), () => this.remember(this.byte())],
      [letter("r"), () => this.remember(wide())],
      [letter("h"), () => this.recall(this.byte())],
      [letter("j"), () => this.recall(wide())],
      [letter("c"), () => void this.stack.push(this.global())],
      [letter("R"), () => this.reduce()],
      [letter("b"), () => this.build()],
      [letter("Q"), () => this.persistent()],
    ];
  }

  private fail(reason: string): never {
    throw new PickleError(this.file, this.at - this.start, reason);
  }

  /** Where so many bytes begin, which are then behind. */
  private take(count: number): number {
    const at = this.at;
    if (count > this.bytes.length - at) this.fail("it ends too early");
    this.at += count;
    return at;
  }

  private byte(): number {
    return this.bytes[this.take(1)];
  }

  private characters(count: number): string {
    const from = this.take(count);
    return text.decode(this.bytes.subarray(from, from + count));
  }

  private line(): string {
    const end = this.bytes.indexOf(letter("\n"), this.at);
    if (end < 0) this.fail("it ends too early");
    const line = this.characters(end - this.at);
    this.at++;
    return line;
  }

  /** Two's complement, least byte first; a bigint where a number would lose digits. */
  private long(count: number): number | bigint {
    const from = this.take(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[from + i]);
    const signed = BigInt.asIntN(8 * count, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  private expectProtocol(): void {
    const protocol = this.byte();
    if (protocol > 2)
      this.fail(`protocol ${protocol}, wants 2: save it with torch.save's own pickle_protocol`);
  }

  private pop(): unknown {
    return this.popMany(1)[0];
  }

  private popMany(count: number): unknown[] {
    if (this.stack.length - (this.marks.at(-1) ?? 0) < count) this.fail("its stack is empty");
    return this.stack.splice(this.stack.length - count, count);
  }

  private popToMark(): unknown[] {
    const mark = this.marks.pop();
    return mark === undefined ? this.fail("a mark is missing") : this.stack.splice(mark);
  }

  private top(): unknown {
    return this.stack.length > 0 ? this.stack[this.stack.length - 1] : this.fail("its stack is empty");
  }

  private append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) return this.fail("items for what is no list");
    for (const item of items) list.push(item);
  }

  private setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (!(map instanceof Map) || items.length % 2 !== 0) return this.fail("items for what is no dictionary");
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  private remember(key: number): void {
    this.memo.set(key, this.top());
  }

  private recall(key: number): void {
    if (!this.memo.has(key)) this.fail(`object ${key}, which it has not made`);
    this.stack.push(this.memo.get(key));
  }

  private global(): PickleGlobal {
    const path = `${this.line()}.${this.line()}`;
    if (!this.vocabulary.globals.has(path))
      this.fail(`it names "${path}", which is not read: save the model's state_dict(), tensors alone`);
    return new PickleGlobal(path);
  }

  private reduce(): void {
    const [callee, args] = this.popMany(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args))
      return this.fail("a call of what is no name");
    this.stack.push(this.trying(() => this.vocabulary.call(callee.path, args)));
  }

  private persistent(): void {
    const id = this.pop();
    this.stack.push(this.trying(() => this.vocabulary.persistent(id)));
  }

  private trying(make: () => unknown): unknown {
    try {
      return make();
    } catch (cause) {
      return this.fail((cause as Error).message);
    }
  }

  /** Attributes of a dictionary, such as the versions of a state_dict's modules: nothing that tensors need. */
  private build(): void {
    this.pop();
    if (!(this.top() instanceof Map)) this.fail("attributes of what is no dictionary");
  }
}
