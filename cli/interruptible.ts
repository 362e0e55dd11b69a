/** Work that a user can stop between its parts. */
export async function* interruptible<T>(
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}
