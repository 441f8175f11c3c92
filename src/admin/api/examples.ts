type Json = Readonly<Record<string, unknown>>;

/** Examples of the OpenAPI document, put together from its own schemas and these values by name. */
const VALUES: Json = {
  account: 'ci-pipeline',
  acknowledged: 3,
  address: '10.20.0.7',
  addApplications: ['Portal'],
  allowedNetworks: ['10.20.0.0/16'],
  application: 'CRM',
  applications: ['CRM'],
  because: ['The account has no grant on CRM; its team customer-apps owns it.'],
  certainAt: null,
  chain: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2',
  changes: ['create the role deployer'],
  createdAt: '2026-11-02T08:30:00.000Z',
  cursor: 'eyJhZnRlciI6ImNpLXBpcGVsaW5lIn0',
  damaged: [],
  description: 'Builds of the main branch',
  effective: true,
  expired: false,
  expiresAt: '2027-12-31T23:59:59.000Z',
  builtIn: false,
  honey: false,
  id: '4kGh2mQx9ZbT',
  inDoubt: [],
  input: { name: 'deployer', permissions: ['deployments:read'] },
  instance: 'edge-a',
  instances: 3,
  lapsed: 0,
  expiringWithinDays: '30',
  limit: '100',
  lost: false,
  method: 'POST',
  name: 'ci-pipeline',
  next: null,
  password: 'a rather long sentence',
  path: '/applications/CRM/deployments',
  permission: 'deployments:write',
  permissions: ['deployments:write'],
  previous: null,
  previousToken: null,
  reason: 'permitted',
  registry: null,
  removeApplications: [],
  requestId: '5f3c1e0a-8f0e-4c5d-9b57-0d3c1f0f6a11',
  retiredTokens: [],
  role: 'deployer',
  route: 'deploy',
  slowestMs: 3.4,
  status: '403',
  subject: null,
  team: 'customer-apps',
  thumbprint: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2',
  time: '2026-11-02T08:30:00.000Z',
  token: 'slp_4kGh2mQx9ZbT_…',
  updatedAt: '2026-11-02T08:30:00.000Z',
  tokenOlderThanDays: '180',
  unusedForDays: '90',
  usedBy: ['ci-pipeline'],
  variables: 'app=CRM,app=HR',
  version: 41,
  waitMs: '5000',
};

/** Of a parameter in a path or a query. */
export function parameterExample(name: string, schema: Json): unknown {
  return exampleOf(schema, name, {});
}

/**
 * A value that the schema allows.
 *
 * @param name of the field that holds it; what is known by that name is taken where it fits
 * @param components the document's named schemas
 */
export function exampleOf(schema: Json, name: string, components: Json): unknown {
  const target = resolved(schema, components);
  if (Object.hasOwn(VALUES, name) && fits(VALUES[name], target)) return VALUES[name];
  const variants = (target.anyOf ?? target.oneOf) as readonly Json[] | undefined;
  if (variants?.[0] !== undefined) return exampleOf(variants[0], name, components);
  if (target.const !== undefined) return target.const;
  if (Array.isArray(target.enum)) return target.enum[0];
  switch (typesOf(target)[0]) {
    case 'object':
      return objectOf(target, components);
    case 'array':
      return [exampleOf((target.items ?? {}) as Json, name, components)];
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return Math.max(Number(target.minimum ?? 1), 1);
    case 'null':
      return null;
    default:
      return fits('1', target) && target.pattern !== undefined ? '1' : 'text';
  }
}

function objectOf({ properties = {} }: Json, components: Json): Json {
  return Object.fromEntries(
    Object.entries(properties as Readonly<Record<string, Json>>).map(([key, property]) => [
      key,
      exampleOf(property, key, components),
    ]),
  );
}

function resolved(schema: Json, components: Json): Json {
  const name = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1)! : null;
  return name === null ? schema : resolved((components[name] ?? {}) as Json, components);
}

function typesOf({ type }: Json): readonly unknown[] {
  return Array.isArray(type) ? type : [type];
}

function fits(value: unknown, schema: Json): boolean {
  const variants = (schema.anyOf ?? schema.oneOf) as readonly Json[] | undefined;
  if (variants !== undefined) return variants.some((one) => fits(value, one));
  if (Array.isArray(schema.enum)) return schema.enum.includes(value);
  const types = typesOf(schema);
  if (value === null) return types.includes('null');
  if (Array.isArray(value)) return types.includes('array') && fitsItems(value, schema);
  if (typeof value === 'number') return types.includes('number') || types.includes('integer');
  if (typeof value !== 'string') return types.includes(typeof value);
  return (
    types.includes('string') &&
    (schema.pattern === undefined || new RegExp(String(schema.pattern)).test(value))
  );
}

function fitsItems(values: readonly unknown[], schema: Json): boolean {
  return values.every((value) => fits(value, (schema.items ?? {}) as Json));
}
