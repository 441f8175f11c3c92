/** One request to the admin API, as people would write it. */
export interface Sample {
  readonly method: string;
  /** Below `/api/v1`, with its variables filled in. */
  readonly path: string;
  readonly body: unknown;
}

/**
 * The same in curl, Node and Python, with nothing beyond what these bring. All read SALLYPORT_URL
 * (`https://gate.example.com:9443`) and SALLYPORT_TOKEN from the environment, and the CA of the
 * gate's certificate where each of them looks: `--cacert`, NODE_EXTRA_CA_CERTS, SSL_CERT_FILE.
 */
export function samplesOf(sample: Sample): Readonly<Record<'curl' | 'node' | 'python', string>> {
  return { curl: curl(sample), node: node(sample), python: python(sample) };
}

function curl({ method, path, body }: Sample): string {
  const lines = [
    `curl --fail-with-body --cacert "$SALLYPORT_CA"${method === 'GET' ? '' : ` -X ${method}`}`,
    `  -H "Authorization: Bearer $SALLYPORT_TOKEN"`,
    ...(body === undefined
      ? []
      : [`  -H 'Content-Type: application/json'`, `  -d '${JSON.stringify(body)}'`]),
    `  "$SALLYPORT_URL/api/v1${path}"`,
  ];
  return lines.join(' \\\n');
}

function node({ method, path, body }: Sample): string {
  const headers = [
    `    authorization: \`Bearer \${process.env.SALLYPORT_TOKEN}\`,`,
    ...(body === undefined ? [] : [`    'content-type': 'application/json',`]),
  ];
  return [
    `const url = \`\${process.env.SALLYPORT_URL}/api/v1${path}\`;`,
    'const response = await fetch(url, {',
    ...(method === 'GET' ? [] : [`  method: '${method}',`]),
    '  headers: {',
    ...headers,
    '  },',
    ...(body === undefined ? [] : [`  body: JSON.stringify(${JSON.stringify(body)}),`]),
    '});',
    'console.log(response.status, await response.json());',
  ].join('\n');
}

function python({ method, path, body }: Sample): string {
  return [
    'import json, os, urllib.request',
    '',
    'request = urllib.request.Request(',
    `    os.environ["SALLYPORT_URL"] + ${JSON.stringify(`/api/v1${path}`)},`,
    `    method="${method}",`,
    '    headers={',
    '        "Authorization": "Bearer " + os.environ["SALLYPORT_TOKEN"],',
    ...(body === undefined ? [] : ['        "Content-Type": "application/json",']),
    '    },',
    ...(body === undefined ? [] : [`    data=json.dumps(${pythonOf(body)}).encode(),`]),
    ')',
    'with urllib.request.urlopen(request) as response:',
    '    print(response.status, json.load(response))',
  ].join('\n');
}

function pythonOf(value: unknown): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(', ')}]`;
  if (typeof value === 'object')
    return `{${Object.entries(value)
      .map(([key, one]) => `${JSON.stringify(key)}: ${pythonOf(one)}`)
      .join(', ')}}`;
  return JSON.stringify(value);
}
