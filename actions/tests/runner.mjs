// A runner's surroundings for one step: the real file of an action in a process of its own.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../token/main.mjs", import.meta.url));
const KNOWN = new Set([
  "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
  "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning",
]);

/**
 * Run the step with these inputs and variables; `event` is the payload of the event.
 *
 * Tells the exit status, the lines and commands of the log, the outputs, and everything written.
 */
export async function runStep(inputs, variables = {}, event = null) {
  const folder = await mkdtemp(join(tmpdir(), "action-"));
  try {
    const outputFile = join(folder, "output");
    const eventFile = join(folder, "event.json");
    await writeFile(outputFile, "");
    await writeFile(eventFile, JSON.stringify(event ?? {}));
    const env = {
      PATH: process.env.PATH,
      GITHUB_ACTIONS: "true",
      GITHUB_OUTPUT: outputFile,
      GITHUB_EVENT_PATH: eventFile,
      GITHUB_EVENT_NAME: "push",
      GITHUB_REPOSITORY: "acme/web",
      GITHUB_RUN_ID: "37824901043",
      GITHUB_RUN_ATTEMPT: "1",
      ...variables,
    };
    for (const [name, value] of Object.entries(inputs)) env[`INPUT_${name.toUpperCase()}`] = value;
    for (const name of Object.keys(env)) if (env[name] === undefined) delete env[name];
    const { status, log } = await run(env, folder);
    const written = await readFile(outputFile, "utf8");
    return { status, log, commands: commandsOf(log), outputs: outputsOf(written), written };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function run(env, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN], { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (log += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, log }));
  });
}

/** Find the commands in a log as a runner does: both forms, the older one anywhere in a line. */
export function commandsOf(log) {
  return log.split(/\r\n|\r|\n/).flatMap((line) => {
    const [, name, properties, data] = /^\s*::([^ :]+)(?: (.*?))?::(.*)$/.exec(line) ?? [];
    if (KNOWN.has(name)) {
      const given = (properties ?? "").split(",").filter(Boolean).map((each) => each.split("="));
      const unescaped = given.map(([key, value]) => [key, unescapeProperty(value ?? "")]);
      return [{ name, data: unescape(data), ...Object.fromEntries(unescaped) }];
    }
    const [, older, rest] = /##\[([a-z-]+)[^\]]*\](.*)$/.exec(line) ?? [];
    return KNOWN.has(older) ? [{ name: older, data: rest }] : [];
  });
}

function unescape(text) {
  return text.replaceAll("%0D", "\r").replaceAll("%0A", "\n").replaceAll("%25", "%");
}

function unescapeProperty(text) {
  return unescape(text.replaceAll("%3A", ":").replaceAll("%2C", ","));
}

function outputsOf(written) {
  const outputs = {};
  const lines = written.split("\n");
  while (lines.length > 1) {
    const [name, delimiter] = lines.shift().split("<<");
    const end = lines.indexOf(delimiter);
    outputs[name] = lines.splice(0, end).join("\n");
    lines.shift();
  }
  return outputs;
}
