/** What surrounds the library: Node or a browser. */

/** Node's built-in modules, where there are any. */
export function builtin<M>(name: string): M | undefined {
  const host = globalThis.process as { getBuiltinModule?: (name: string) => M | undefined } | undefined;
  return host?.getBuiltinModule?.(name);
}

/** Major version of a real Node; other runtimes that imitate it have other engines or flags. */
export function nodeMajor(): number {
  const versions = globalThis.process?.versions as Partial<Record<string, string>> | undefined;
  if (!versions?.node || versions.bun || versions.deno) return 0;
  return Number.parseInt(versions.node, 10);
}
