// A runner's surroundings: the real files of an action, each in a process of its own.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const KNOWN = new Set([
  "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice",
  "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning",
]);
const FILES = { GITHUB_OUTPUT: "output", GITHUB_STATE: "state", GITHUB_ENV: "env", GITHUB_STEP_SUMMARY: "summary" };

/** One job: a folder for temporary files, and the variables that a step exports to later ones. */
export class Job {
  /** Begin a job for one test; `event` is the payload of the event. */
  static async begin(test, variables = {}, event = {}) {
    const folder = await mkdtemp(join(tmpdir(), "action-"));
    test.after(() => rm(folder, { recursive: true }));
    return new Job(folder, variables, event);
  }

  constructor(folder, variables, event) {
    this.folder = folder;
    this.temp = join(folder, "temp");
    this.variables = variables;
    this.event = event;
    this.exported = {};
    this.steps = 0;
  }

  /** Run the main file of an action, and tell what came of it. */
  main(inputs, variables = {}, action = "token") {
    return this.#run(`${action}/main.mjs`, inputs, variables);
  }

  /** Run the post file for a step, with the state that its main file kept. */
  post(step, variables = {}, action = "token") {
    const state = Object.entries(step.state).map(([name, value]) => [`STATE_${name}`, value]);
    return this.#run(`${action}/post.mjs`, step.inputs, { ...Object.fromEntries(state), ...variables });
  }

  async #run(file, inputs, variables) {
    const folder = join(this.folder, `step-${this.steps++}`);
    await mkdir(folder);
    await mkdir(this.temp, { recursive: true });
    const files = Object.fromEntries(Object.entries(FILES).map(([name, each]) => [name, join(folder, each)]));
    for (const each of Object.values(files)) await writeFile(each, "");
    const eventFile = join(folder, "event.json");
    await writeFile(eventFile, JSON.stringify(this.event));
    const env = {
      PATH: process.env.PATH,
      ...this.exported,
      GITHUB_ACTIONS: "true",
      GITHUB_EVENT_PATH: eventFile,
      GITHUB_EVENT_NAME: "push",
      GITHUB_REPOSITORY: "acme/web",
      GITHUB_RUN_ID: "37824901043",
      GITHUB_RUN_ATTEMPT: "1",
      GITHUB_SERVER_URL: "https://ghes.example",
      RUNNER_TEMP: this.temp,
      ...files,
      ...this.variables,
      ...variables,
    };
    for (const [name, value] of Object.entries(inputs)) env[`INPUT_${name.toUpperCase()}`] = value;
    for (const name of Object.keys(env)) if (env[name] === undefined) delete env[name];
    const { status, log } = await run(fileURLToPath(new URL(`../${file}`, import.meta.url)), env, folder);
    const read = async (name) => (await readFile(files[name], "utf8"));
    const exported = valuesOf(await read("GITHUB_ENV"));
    Object.assign(this.exported, exported);
    const written = await read("GITHUB_OUTPUT");
    return {
      inputs,
      status,
      log,
      commands: commandsOf(log),
      written,
      outputs: valuesOf(written),
      exported,
      state: valuesOf(await read("GITHUB_STATE")),
      summary: await read("GITHUB_STEP_SUMMARY"),
    };
  }
}

/** Run a step of a job of its own, as `Job.main` does. */
export async function runStep(test, inputs, variables = {}, event = {}) {
  return (await Job.begin(test, variables, event)).main(inputs);
}

function run(file, env, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file], { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
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

/** Read one of the runner's files of values; a later value of a name counts. */
function valuesOf(written) {
  const values = {};
  const lines = written.split("\n");
  while (lines.length > 1) {
    const [name, delimiter] = lines.shift().split("<<");
    const end = lines.indexOf(delimiter);
    values[name] = lines.splice(0, end).join("\n");
    lines.shift();
  }
  return values;
}
