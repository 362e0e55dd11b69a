import { expect, it } from "vitest";
import { resumeCommand } from "./invocation.ts";

it("shows the command as this user can type it", () => {
  expect(resumeCommand("/runs/a", {})).toBe("logrung train --resume /runs/a");
  expect(resumeCommand("/runs/a", { npm_lifecycle_event: "start" })).toBe(
    "npm run -s logrung -- train --resume /runs/a",
  );
  expect(resumeCommand("/my runs/it's", { npm_lifecycle_event: "npx" })).toBe(
    String.raw`logrung train --resume '/my runs/it'\''s'`,
  );
});
