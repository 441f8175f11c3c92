import type { AdminActor } from './actor.ts';
import { OPERATION_NAMES } from './administration.ts';
import type { Control } from './control.ts';

/**
 * What is asked over the owner's socket and answered at once, by name: the operations of
 * administration, and what else `Control` can. Both ends go by this list. What is answered bit by
 * bit (`follow`, `verifyAudit`, `followVerification`) has a way of its own.
 */

type InputOf<Work extends (actor: AdminActor, input: never) => unknown> = Parameters<Work>[1];
type Run<Of extends keyof Control, Name extends keyof Control[Of]> = InputOf<
  Extract<Control[Of][Name], (actor: AdminActor, input: never) => unknown>
>;

const OF_CONTROL = {
  activity: (control: Control, actor: AdminActor, input: InputOf<Control['activity']>) =>
    control.activity(actor, input),
  activityPage: (control: Control, actor: AdminActor, input: InputOf<Control['activityPage']>) =>
    control.activityPage(actor, input),
  registryIdentify: ({ registry }: Control, actor: AdminActor) => registry.identify(actor),
  registryInit: ({ registry }: Control, actor: AdminActor) => registry.init(actor),
  registryAdopt: ({ registry }: Control, actor: AdminActor, input: Run<'registry', 'adopt'>) =>
    registry.adopt(actor, input),
  registryVerify: ({ registry }: Control, actor: AdminActor) => registry.verify(actor),
  startVerification: (
    { verification }: Control,
    actor: AdminActor,
    input: Run<'verification', 'start'>,
  ) => verification.start(actor, input),
  verificationState: ({ verification }: Control, actor: AdminActor) => verification.state(actor),
  startReindex: ({ reindexing }: Control, actor: AdminActor, input: Run<'reindexing', 'start'>) =>
    reindexing.start(actor, input),
  reindexState: ({ reindexing }: Control, actor: AdminActor) => reindexing.state(actor),
  reindexAudit: ({ reindexing }: Control, actor: AdminActor, input: Run<'reindexing', 'start'>) =>
    reindexing.run(actor, input),
} as const;

type Listed = typeof OF_CONTROL;
export type ControlOperation = keyof Listed;
/** What is asked with one of them, and what comes back. */
export type ControlInput<Op extends ControlOperation> = Parameters<Listed[Op]>[2];
export type ControlAnswer<Op extends ControlOperation> = ReturnType<Listed[Op]>;

type Answering = (actor: AdminActor, input: never) => Promise<unknown>;

/** Null: there is no such operation. */
export function operationOf(control: Control, op: string): Answering | null {
  if (Object.hasOwn(OF_CONTROL, op))
    return (actor, input) => OF_CONTROL[op as ControlOperation](control, actor, input);
  const name = OPERATION_NAMES.find((known) => known === op);
  return name === undefined ? null : (control.administration[name] as Answering);
}
