/** Turns of the event loop between pieces of long work. */

/** Lets timers and signals have their turn: promises that are ready at once never do. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else setTimeout(resolve, 0);
  });
