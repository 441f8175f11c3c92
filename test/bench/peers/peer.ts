import type { Caller } from '../callers.ts';
import type { TargetName } from '../names.ts';
import type { Stage } from '../stage.ts';

/** A proxy to be measured, set up as its experts would. */
export interface Peer {
  readonly name: TargetName;
  /** What it is, with its version, for the table. */
  readonly about: string;
  /** How it does each part of the job; null = it does not. */
  readonly does: {
    readonly verify: string | null;
    readonly inject: string | null;
    readonly record: string | null;
  };
  /** False = it cannot take the token off the request. */
  readonly hidesToken?: false;
  /** Why it cannot run here; null = it can. Asked before it is started. */
  missing(): string | null;
  /** One instance with one listener, TLS or plain, on the proxy's processor. */
  start(stage: Stage, secure: boolean): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly port: number;
  /** The processes that do its work; those that descend from them count too. */
  readonly pids: readonly number[];
  /** It compiles its program while it runs, and is slow at first. */
  readonly compiles?: true;
  /** What the client says in `Authorization`; default `Bearer TOKEN`. */
  readonly authorization?: (caller: Caller) => string;
  stop(): Promise<void>;
}
