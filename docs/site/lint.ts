interface Problem {
  readonly ruleId: string;
  readonly message: string;
  readonly severity: 'error' | 'warn';
  readonly location: readonly { readonly pointer?: string }[];
}

/** As much of Redocly's openapi-core as is used here. */
export interface OpenApiCore {
  createConfig(config: { readonly extends: readonly string[] }): Promise<unknown>;
  lintFromString(options: {
    readonly source: string;
    readonly absoluteRef: string;
    readonly config: unknown;
  }): Promise<readonly Problem[]>;
}

/** Throws with everything that the linter's recommended rules find, warnings included. */
export async function lint(document: object, core: OpenApiCore): Promise<void> {
  const problems = await core.lintFromString({
    source: JSON.stringify(document),
    absoluteRef: 'openapi.json',
    config: await core.createConfig({ extends: ['recommended'] }),
  });
  const lines = problems.map(
    ({ severity, ruleId, message, location }) =>
      `${severity} ${ruleId} at ${location[0]?.pointer ?? '#'}: ${message}`,
  );
  if (lines.length > 0) throw new Error(`the OpenAPI document has faults:\n${lines.join('\n')}`);
}
