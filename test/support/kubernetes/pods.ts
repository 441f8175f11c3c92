import type { KubernetesObject } from './objects.ts';

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number | string };
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly command?: readonly string[];
  readonly restartPolicy?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: {
    readonly preStop?: {
      readonly sleep?: { readonly seconds: number };
      readonly exec?: { readonly command: readonly string[] };
    };
  };
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
    readonly subPath?: string;
  }[];
  readonly resources?: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string>>>>;
  readonly securityContext?: SecurityContext & {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  };
}

interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly seccompProfile?: { readonly type: string };
}

export interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly defaultMode?: number };
  readonly emptyDir?: { readonly sizeLimit?: string };
}

export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: SecurityContext;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
}

/** Of a Deployment or a StatefulSet. */
export function podOf(object: KubernetesObject): PodSpec {
  return (object.spec as { template: { spec: PodSpec } }).template.spec;
}

export function containersOf(pod: PodSpec): readonly Container[] {
  return [...(pod.initContainers ?? []), ...pod.containers];
}

/** Those of which the profile "restricted" of the Pod Security Standards allows a volume to be. */
const VOLUMES = ['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'projected', 'secret'];

/**
 * What the Pod Security Standards' profile "restricted" would refuse, control by control, and that
 * the root file system can be written. Empty: nothing.
 */
export function unrestrictedIn(pod: PodSpec): readonly string[] {
  const faults: string[] = [];
  const refuse = (wrong: boolean, what: string) => wrong && faults.push(what);
  for (const key of ['hostNetwork', 'hostPID', 'hostIPC'] as const) refuse(pod[key] === true, key);
  for (const { name, ...kinds } of pod.volumes ?? [])
    refuse(
      Object.keys(kinds).some(
        (kind) => !VOLUMES.includes(kind) && kind !== 'persistentVolumeClaim',
      ),
      `volume ${name}`,
    );
  for (const { name, securityContext: own = {} } of containersOf(pod)) {
    const all = { ...pod.securityContext, ...own };
    refuse(own.privileged === true, `${name}: privileged`);
    refuse(own.allowPrivilegeEscalation !== false, `${name}: allowPrivilegeEscalation`);
    refuse(!own.capabilities?.drop?.includes('ALL'), `${name}: capabilities.drop`);
    refuse((own.capabilities?.add ?? []).length > 0, `${name}: capabilities.add`);
    refuse(all.runAsNonRoot !== true, `${name}: runAsNonRoot`);
    refuse(!(Number(all.runAsUser) > 0), `${name}: runAsUser`);
    refuse(
      !['RuntimeDefault', 'Localhost'].includes(all.seccompProfile?.type ?? ''),
      `${name}: seccompProfile`,
    );
    refuse(own.readOnlyRootFilesystem !== true, `${name}: readOnlyRootFilesystem`);
  }
  return faults;
}
