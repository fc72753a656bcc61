// A file that holds a service token: below the runner's own folder, and gone when the job ends.

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const PREFIX = "broker-token-";

/** Make an empty folder that only this user can enter, and give its path. */
export function makeFolder(env) {
  return mkdtempSync(join(env.RUNNER_TEMP, PREFIX));
}

/** Give the path of a file in such a folder. */
export function fileIn(folder, name) {
  return join(folder, name);
}

/** Write a file that only this user can read, and that was not there before. */
export function writeSecretFile(file, text) {
  writeFileSync(file, text, { flag: "wx", mode: 0o600 });
}

/** Remove a folder that `makeFolder` made, with all that is in it; anything else is left alone. */
export function removeFolder(env, folder) {
  const made = basename(folder).startsWith(PREFIX);
  if (!made || realpathSync(dirname(folder)) !== realpathSync(env.RUNNER_TEMP)) {
    throw new Error("it is no folder of this action");
  }
  rmSync(folder, { recursive: true, force: true });
}
