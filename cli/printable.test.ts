import { expect, it } from "vitest";
import { printable } from "./printable.ts";

it("shows what a terminal would obey, and leaves text as it is", () => {
  expect(printable("a\u001b[2J\rb\u0000\u009b\u007f")).toBe("a␛[2J␍b␀␡␡");
  expect(printable("line\n\ttab é 字 😀")).toBe("line\n\ttab é 字 😀");
});
