/** A server on loopback that serves files, well or badly. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Behaviour {
  /** Cuts the connection after so many bytes of a body; 0 or nothing: never. */
  readonly breakAfter?: number;
  /** Sends no length. */
  readonly chunked?: boolean;
  /** Ends a body properly after so many bytes. */
  readonly send?: number;
  /** Honours Range. Default true. */
  readonly ranges?: boolean;
  /** Sends every path but this one there. */
  readonly redirect?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FileServer {
  readonly url: string;
  readonly requests: IncomingHttpHeaders[];
  behave(behaviour: Behaviour): void;
  close(): Promise<void>;
}

/** Serves files by path. */
export async function startFileServer(files: Readonly<Record<string, Uint8Array>>): Promise<FileServer> {
  let behaviour: Behaviour = {};
  const requests: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers);
    const content = files[request.url ?? ""];
    const { redirect } = behaviour;
    if (redirect !== undefined && (request.url !== redirect || content === undefined))
      return void response.writeHead(302, { location: redirect }).end();
    if (content === undefined) return void response.writeHead(404).end("nothing here");
    answer(response, content, request.headers.range, behaviour);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    behave: (next) => void (behaviour = next),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(
  response: ServerResponse,
  content: Uint8Array,
  range: string | undefined,
  how: Behaviour,
): void {
  const asked = how.ranges === false ? undefined : /^bytes=(\d+)-$/.exec(range ?? "")?.[1];
  const from = Number(asked ?? 0);
  if (asked !== undefined && from >= content.length)
    return void response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
  const body = content.subarray(from, from + (how.send ?? content.length));
  const span = `bytes ${from}-${content.length - 1}/${content.length}`;
  response.writeHead(asked === undefined ? 200 : 206, {
    ...(asked !== undefined && { "content-range": span }),
    ...(how.chunked !== true && { "content-length": String(body.length) }),
    ...how.headers,
  });
  if (!how.breakAfter) return void response.end(body);
  response.write(body.subarray(0, how.breakAfter), () => setTimeout(() => response.destroy(), 20));
}
