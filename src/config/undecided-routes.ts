import type { Config } from './schema.ts';

/** A route whose calls the decision endpoint refuses, or forwards otherwise than the gate would. */
export interface UndecidedRoute {
  readonly route: string;
  readonly why: string;
}

/**
 * What of the routes holds only for calls that go through the gate. Empty where nobody asks for
 * decisions.
 */
export function undecidedRoutes({ listen, routes }: Config): readonly UndecidedRoute[] {
  if (listen.decision === null) return [];
  return routes.flatMap((route) => gapsOf(route).map((why) => ({ route: route.name, why })));
}

function gapsOf(route: Config['routes'][number]): readonly string[] {
  return [
    ...(route.bodyVariables.length > 0 ? ['refused: its rule reads the body'] : []),
    ...(route.action === null ? [] : ['refused: the gate itself does what it asks for']),
    ...(route.upgrade.length === 0
      ? []
      : ['refused: its calls may become tunnels, which the gate alone can end']),
    ...(route.cors === null ? [] : ['preflights are refused: the gate alone answers them']),
  ];
}
