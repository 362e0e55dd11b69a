/** HTTP GET whose body comes byte for byte as it was sent. Node only. */
import { get as getPlain, type IncomingMessage } from "node:http";
import { get as getSecure } from "node:https";

/** Longest silence of a server, in milliseconds. */
const patience = 60_000;
const mostRedirects = 5;

/**
 * Sends a request and answers with the response, redirects followed.
 *
 * Not `fetch`: that undoes a `Content-Encoding`, with which some servers label files that are gzip by themselves, and then neither
 * a checksum nor a range of bytes fits.
 *
 * @throws the system's error when the server cannot be reached, or one that says so when it is silent or redirects in circles.
 */
export async function httpGet(
  url: string,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  let target = new URL(url);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await request(target, headers, signal);
    const { statusCode = 0, headers: answer } = response;
    if (statusCode < 300 || statusCode > 399 || answer.location === undefined) return response;
    response.resume();
    target = new URL(answer.location, target);
  }
  throw new Error(`redirected more than ${mostRedirects} times`);
} // prettier-ignore

function request(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  if (!["http:", "https:"].includes(url.protocol)) throw new Error(`"${url.protocol}" is not http or https`);
  const get = url.protocol === "https:" ? getSecure : getPlain;
  return new Promise((resolve, reject) => {
    const sent = get(url, { headers, timeout: patience, ...(signal && { signal }) }, resolve);
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error(`silent for ${patience / 1000} s`)));
  });
}
