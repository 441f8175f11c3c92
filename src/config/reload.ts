import { turn } from '../turns.ts';
import { type ConfigChange, compareConfigs } from './change.ts';
import { ConfigFaults } from './faults.ts';
import { FileWatch } from './file-watch.ts';
import { type LoadedConfig, type LoadOptions, loadConfig, parseConfig } from './load.ts';

export interface ReloadOptions extends LoadOptions {
  /** How a file is read; it throws `ConfigFaults`. Default: `loadConfig`, with these options. */
  load?(file: string): LoadedConfig | Promise<LoadedConfig>;
  /** Quiet time after a change of a file before it is read, in milliseconds. Default 200. */
  readonly quietMs?: number;
  /**
   * Between two looks at the files, in milliseconds, for file systems that report nothing. Default
   * 5000.
   */
  readonly pollMs?: number;
}

/** Who lives by the configuration. */
export interface ReloadListener {
  /**
   * A new good configuration: to be taken over, but for `change.needRestart`. Also called when only
   * a named file changed (a renewed certificate), or on SIGHUP when nothing did. If it throws, the
   * reload counts as refused.
   */
  apply(next: LoadedConfig, change: ConfigChange): void | Promise<void>;
  /**
   * The last good configuration stays; of files that it names, what they hold now may have been
   * applied before. `fault` is `ConfigFaults`, or what `apply` threw. Must not
   * throw.
   */
  refused(fault: unknown): void;
}

const DEFAULTS = { quietMs: 200, pollMs: 5000 } as const;

/** Reloads on SIGHUP and when the configuration, or a file that it names, changes on disk. */
export class ConfigReloader {
  readonly #options: ReloadOptions;
  readonly #listener: ReloadListener;
  readonly #watch: FileWatch;
  readonly #onSignal = (): void => this.reload();
  readonly #started: LoadedConfig;
  #current: LoadedConfig;
  #running: Promise<void> | null = null;
  #again = false;
  #closed = false;

  constructor(initial: LoadedConfig, options: ReloadOptions, listener: ReloadListener) {
    this.#started = initial;
    this.#current = initial;
    this.#options = options;
    this.#listener = listener;
    const watchOptions = {
      quietMs: options.quietMs ?? DEFAULTS.quietMs,
      pollMs: options.pollMs ?? DEFAULTS.pollMs,
    };
    this.#watch = new FileWatch([initial.file, ...initial.files], watchOptions, () =>
      this.reload(),
    );
    process.on('SIGHUP', this.#onSignal);
  }

  /** The last configuration that was taken over. */
  get current(): LoadedConfig {
    return this.#current;
  }

  /** One reload at a time; however often this is called meanwhile, one more follows. */
  reload(): void {
    if (this.#closed) return;
    if (this.#running !== null) {
      this.#again = true;
      return;
    }
    this.#running = this.#reloadOnce().finally(() => {
      this.#running = null;
      if (!this.#again) return;
      this.#again = false;
      this.reload();
    });
  }

  /** Resolves when a reload under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    process.off('SIGHUP', this.#onSignal);
    this.#watch.close();
    await this.#running;
  }

  async #reloadOnce(): Promise<void> {
    try {
      // Followed before it is read: a change that comes while it is being read is seen afterwards.
      this.#watch.follow([this.#current.file, ...this.#current.files]);
      const { load = (file: string) => loadConfig(file, this.#options) } = this.#options;
      const next = await load(this.#current.file);
      this.#watch.extend(next.files);
      const change = compareConfigs(this.#started, this.#current, next);
      await turn();
      await this.#listener.apply(next, change);
      this.#current = next;
    } catch (fault) {
      if (fault instanceof ConfigFaults) {
        this.#watch.extend(fault.files);
        await this.#rereadFiles();
      }
      this.#listener.refused(fault);
    }
  }

  /**
   * What the configuration in force names is read anew: secrets that rotate do not wait until a
   * line of the new one is mended.
   */
  async #rereadFiles(): Promise<void> {
    const { text, file } = this.#current;
    try {
      const same = parseConfig(text, file, this.#options);
      const change = compareConfigs(this.#started, this.#current, same);
      if (change.changed.length === 0) return;
      await this.#listener.apply(same, change);
      this.#current = same;
    } catch {
      // The files are at fault, which the configuration that was refused names as well or no more.
    }
  }
}
