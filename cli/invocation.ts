/** Command lines to show to a user, as they can be typed. */

/** How this program is called: installed by its name, from a clone through npm. */
export function programName(env: Readonly<Record<string, string | undefined>>): string {
  const script = env.npm_lifecycle_event;
  return script === "start" || script === "logrung" ? "npm run -s logrung --" : "logrung";
}

/** The command that goes on with a run. */
export function resumeCommand(run: string, env: Readonly<Record<string, string | undefined>>): string {
  return `${programName(env)} train --resume ${quoted(run)}`;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
