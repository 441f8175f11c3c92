/** Where something stands in the configuration: keys and list indexes from the top. */
export type ConfigPath = readonly (string | number)[];

export interface Fault {
  /** 1-based; null when the fault is about the file as a whole (it cannot be read). */
  readonly line: number | null;
  readonly column: number | null;
  /** `routes[0].path`; empty for the file as a whole. */
  readonly path: string;
  /** Never holds a value from the environment or from a secret file. */
  readonly message: string;
}

/** `routes[0].path`, `upstreams["a.b"].tls`. */
export function showPath(path: ConfigPath): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z0-9_-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** `sallyport.yaml:12:5 routes[0].permision: unknown key (did you mean permission?)` */
export function showFault(file: string, { line, column, path, message }: Fault): string {
  const place = line === null ? file : `${file}:${line}:${column}`;
  return path === '' ? `${place} ${message}` : `${place} ${path}: ${message}`;
}

/**
 * Everything that is wrong with a configuration file, found in one pass, in the order of the file.
 */
export class ConfigFaults extends Error {
  override readonly name = 'ConfigFaults';
  readonly file: string;
  readonly faults: readonly Fault[];
  /**
   * Absolute paths of the files that it names, readable or not: a change to one of them may mend
   * it.
   */
  readonly files: readonly string[];

  constructor(file: string, faults: readonly Fault[], files: readonly string[] = []) {
    super(faults.map((fault) => showFault(file, fault)).join('\n'));
    this.file = file;
    this.faults = faults;
    this.files = files;
  }
}

/**
 * What a check may say. Both keep the first word about a key: later checks often stumble over the
 * same slip.
 */
export interface Report {
  fault(path: ConfigPath, message: string): void;
  warning(path: ConfigPath, message: string): void;
}
