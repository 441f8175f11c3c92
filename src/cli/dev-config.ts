import { renameSync, rmSync, writeFileSync } from 'node:fs';

export interface DevConfigFacts {
  readonly port: number;
  readonly adminPort: number;
  readonly opsPort: number;
  /** `http://127.0.0.1:PORT`: the sample service takes a free port at each start. */
  readonly sampleUrl: string;
}

/**
 * Writes the configuration that `sallyport dev` runs with, so that everybody can read it, copy it,
 * and name it with `--config`. It is written anew at each start; the file says so.
 */
export function writeDevConfig(path: string, facts: DevConfigFacts): void {
  const temporary = `${path}.new`;
  // What a crash has left is not written through: it may be a link.
  rmSync(temporary, { force: true });
  writeFileSync(temporary, devConfig(facts), { flag: 'wx', mode: 0o600 });
  renameSync(temporary, path);
}

function devConfig({ port, adminPort, opsPort, sampleUrl }: DevConfigFacts): string {
  return `# What "sallyport dev" runs with. It is written anew at each start: copy it to make it yours.
instance: { name: dev, dataDir: ., lameDuckMs: 0 }
listen:
  proxy:
    address: "127.0.0.1:${port}"
    tls: { certificates: [{ certificateFile: tls.crt, keyFile: tls.key }] }
  admin: { address: "127.0.0.1:${adminPort}" }
  ops: { address: "127.0.0.1:${opsPort}" }
store: { kind: embedded }
limits: { connections: 1000 } # within the open files that most shells allow

upstreams:
  deployments: { addresses: ["${sampleUrl}"], maxConnections: 64 }

# First match by the number of literal segments. What no route names does not get in.
routes:
  - { name: health, path: /healthz, access: public, upstream: deployments }
  - { name: echo, path: /echo/**, methods: [GET, POST, PUT], application: any, permission: echo:use, upstream: deployments }

  - name: environments-read
    path: /lifetimeapi/rest/v2/environments/**
    methods: [GET, HEAD]
    application: any
    permission: environments:read
    caseInsensitive: true
    upstream: deployments
  - name: applications-list
    path: /lifetimeapi/rest/v2/applications
    methods: [GET, HEAD]
    application: any
    permission: applications:read
    caseInsensitive: true
    upstream: deployments
  - name: application-read
    path: /lifetimeapi/rest/v2/applications/{application}/**
    methods: [GET, HEAD]
    application: "{application}"
    permission: applications:read
    caseInsensitive: true
    upstream: deployments
  # Where the links in answers lead; pipeline clients send their token there without "Bearer".
  - name: download
    path: /lifetimeapi/rest/v2/downloads/{application}/{version}
    methods: [GET, HEAD]
    application: "{application}"
    permission: applications:read
    caseInsensitive: true
    acceptBareToken: true
    upstream: deployments
  # The role that counts is the one the account has on this application: by a grant, else by its
  # team, else by default.
  - name: application-deploy
    path: /lifetimeapi/rest/v2/applications/{application}/deployments/**
    methods: [POST]
    application: "{application}"
    permission: deployments:write
    caseInsensitive: true
    upstream: deployments
  - name: version-write
    path: /lifetimeapi/rest/v2/environments/{environment}/applications/{application}/versions
    methods: [POST]
    application: "{application}"
    permission: applications:write
    caseInsensitive: true
    upstream: deployments

  - name: deployments-read
    path: /lifetimeapi/rest/v2/deployments/**
    methods: [GET, HEAD]
    application: any
    permission: deployments:read
    caseInsensitive: true
    upstream: deployments
  # About any application: every role that the account has somewhere must allow it.
  - name: deployments-write
    path: /lifetimeapi/rest/v2/deployments/**
    methods: [POST, DELETE]
    application: any
    permission: deployments:write
    caseInsensitive: true
    upstream: deployments
  - name: package-upload
    path: /lifetimeapi/rest/v2/environments/{environment}/deployment
    methods: [POST]
    application: any
    permission: deployments:write
    caseInsensitive: true
    upstream: deployments
`;
}
