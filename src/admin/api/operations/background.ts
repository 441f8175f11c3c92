import * as z from 'zod';
import type { OwnPermission } from '../../../account/permission.ts';
import type { AdminActor } from '../../actor.ts';
import type { Control } from '../../control.ts';
import { component } from '../../schemas/words.ts';
import { type Operation, operation } from '../operation.ts';
import { runState } from '../run-state.ts';

/** Work in the background, one at a time, as `Control` offers it. */
interface Run<Input> {
  state(actor: AdminActor): Promise<unknown>;
  start(actor: AdminActor, input: Input): Promise<unknown>;
}

interface BackgroundOptions<Input, Shape extends z.core.$ZodLooseShape> {
  readonly path: string;
  readonly needs: OwnPermission;
  /** What the state is called in the OpenAPI document, and what comes out at the end. */
  readonly state: readonly [name: string, result: z.ZodType];
  readonly show: { readonly id: string; readonly summary: string };
  readonly begin: {
    readonly id: string;
    readonly summary: string;
    readonly description: string;
    /** What the body is called there. */
    readonly bodyName: string;
    readonly body: Shape;
    readonly bodyBytes?: number;
    inputOf(body: z.output<z.ZodObject<Shape, z.core.$strict>>): Input;
  };
  run(control: Control): Run<Input>;
}

/** `GET` tells how far it has come, `POST` begins it. */
export function background<Input, const Shape extends z.core.$ZodLooseShape>(
  options: BackgroundOptions<Input, Shape>,
): readonly Operation[] {
  const { path, needs, run } = options;
  const { id, summary, description, bodyName, body, bodyBytes, inputOf } = options.begin;
  const state = runState(...options.state);
  const common = { path, needs, tag: 'Activity', params: null, query: null } as const;
  const show = operation({
    ...common,
    ...options.show,
    method: 'get',
    body: null,
    answers: { 200: { description: 'What this process knows.', schema: state } },
    handle: async ({ control }, { caller }) => ({
      status: 200,
      body: await run(control).state(caller.actor),
    }),
  });
  const begin = operation({
    ...common,
    ...{ id, summary, description, method: 'post' },
    body: component(bodyName, z.strictObject(body)),
    bodyOptional: true,
    ...(bodyBytes === undefined ? {} : { bodyBytes }),
    answers: { 202: { description: 'It has begun.', schema: state } },
    handle: async ({ control }, { caller, body }) => ({
      status: 202,
      body: await run(control).start(caller.actor, inputOf(body)),
    }),
  });
  return [show, begin];
}
