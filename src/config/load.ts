import { dirname, resolve } from 'node:path';
import { readBounded, whyUnreadable } from './bounded-file.ts';
import type { Environment } from './environment.ts';
import { ConfigFaults, type ConfigPath, type Fault, type Report } from './faults.ts';
import { type FileContent, resolveFiles } from './files.ts';
import { Reporter } from './report.ts';
import { checkRules } from './rules.ts';
import { type Config, configSchema } from './schema.ts';
import { reportIssues } from './schema-faults.ts';
import { readTypedVariables } from './typed-variables.ts';
import { YamlSource } from './yaml-source.ts';

/**
 * Without functions compiled for each object of the schema: a configuration is read once, and
 * compiling them costs a starting gate 20 ms, and saves nothing with a thousand routes either.
 */
const PARSING = { reportInput: true, jitless: true } as const;

/**
 * A check that belongs to another room (ties between routes, certificates that fit their keys). It
 * runs once everything here is in order, and speaks through the report, so that its findings come
 * with line and path like all others. `path` names keys as they are in the file: `['routes', 3]`,
 * `['upstreams', 'api', 'tls']`.
 */
export type ConfigCheck = (config: Config, report: Report) => void;

export interface LoadOptions {
  /** Where `${VARIABLE}` is looked up. Default: the environment of the process. */
  readonly environment?: Environment;
  readonly checks?: readonly ConfigCheck[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** To be shown at every start: allowed, but worth knowing. */
  readonly warnings: readonly Fault[];
  /** Absolute path of the configuration file. */
  readonly file: string;
  /** What stood in it. */
  readonly text: string;
  /** Absolute paths of the other files that it names: certificates, keys, passwords. */
  readonly files: readonly string[];
  /** By key, what those files hold. */
  readonly contents: ReadonlyMap<string, FileContent>;
  /** Whether the file itself says which store is meant; else `config.store` is the default one. */
  readonly namesStore: boolean;
}

/**
 * Reads, checks and completes a configuration file (at most 1 MiB). Throws `ConfigFaults` with all
 * that is wrong, in the order of the file; opens no port, makes no folder, connects to nothing.
 */
export function loadConfig(path: string, options: LoadOptions = {}): LoadedConfig {
  const file = resolve(path);
  return parseConfig(readConfigFile(file, path), path, options);
}

function readConfigFile(file: string, shown: string): string {
  try {
    return readBounded(file).text;
  } catch (error) {
    throw new ConfigFaults(shown, [
      { line: null, column: null, path: '', message: whyUnreadable(error) },
    ]);
  }
}

/**
 * The same for a text already at hand. `path` is where it counts as standing: for messages, and for
 * relative paths in it.
 */
export function parseConfig(text: string, path: string, options: LoadOptions = {}): LoadedConfig {
  const file = resolve(path);
  const source = new YamlSource(text, options.environment ?? process.env);
  if (source.syntaxFaults.length > 0) throw new ConfigFaults(path, source.syntaxFaults);
  if (source.value === null)
    throw new ConfigFaults(path, [
      { line: null, column: null, path: '', message: 'the file is empty' },
    ]);
  const report = new Reporter(source);
  for (const fault of source.faults) report.fault(fault.path, fault.message, fault);
  const { value, contents } = resolveFiles(source.value, file, report);
  const files = [...new Set([...contents.values()].map((content) => content.file))];
  let parsed = configSchema.safeParse(value, PARSING);
  const written = (place: ConfigPath) => source.written(place);
  if (!parsed.success && readTypedVariables(value, parsed.error.issues, written)) {
    readTypedVariables(source.value, parsed.error.issues, written);
    parsed = configSchema.safeParse(value, PARSING);
  }
  if (!parsed.success) reportIssues(parsed.error.issues, report);
  checkRules(source.value, source, report);
  if (!parsed.success || report.faults.length > 0)
    throw new ConfigFaults(path, report.faults, files);
  const config: Config = {
    ...parsed.data,
    instance: {
      ...parsed.data.instance,
      dataDir: resolve(dirname(file), parsed.data.instance.dataDir),
    },
    log: withPath(parsed.data.log, dirname(file)),
  };
  for (const check of options.checks ?? []) check(config, report);
  if (report.faults.length > 0) throw new ConfigFaults(path, report.faults, files);
  const namesStore = Object.hasOwn(source.value as object, 'store');
  return { config, warnings: report.warnings, file, text, files, contents, namesStore };
}

/** Of the access log: a file that is written, so it need not be there. */
function withPath(log: Config['log'], folder: string): Config['log'] {
  const { access } = log;
  if (access === null || access.path === null) return log;
  return { ...log, access: { ...access, path: resolve(folder, access.path) } };
}
