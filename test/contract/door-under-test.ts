/** Names and values; those of responses with names in lower case. */
export type FieldList = readonly (readonly [name: string, value: string])[];

/** A request as values. Nothing of a protocol stands in them. */
export interface DoorRequest {
  readonly method: string;
  readonly target: string;
  /** Default `api.test`. */
  readonly authority?: string;
  /** Names in letters of either case, where the protocol knows both. */
  readonly fields?: FieldList;
  /** Of its body, in bytes; null = not known beforehand. Absent: there is no body. */
  readonly length?: number | null | undefined;
  /** Fields behind its body. Their doors frame a body of unknown length only. */
  readonly trailers?: FieldList;
  /** The body waits until the server says that it wants it. Only of doors with that power. */
  readonly expects?: boolean;
  /** Another protocol that is asked for in its place. */
  readonly upgrade?: string;
}

export interface DoorResponse {
  readonly status: number;
  readonly fields: FieldList;
  readonly content: Buffer;
  /** Fields behind the content. */
  readonly trailers: FieldList;
  readonly interims: readonly (readonly [status: number, fields: FieldList])[];
  /** False: its client cannot take it for a whole one. */
  readonly whole: boolean;
}

/**
 * One request under way, as its client has it. What waits throws when its connection ends first.
 */
export interface DoorExchange {
  /** Pieces of the body. Resolves once the connection has taken them: it may have to wait. */
  send(...pieces: readonly (string | Buffer)[]): Promise<void>;
  endBody(): Promise<void>;
  /** Takes nothing of the response any more. */
  pause(): void;
  resume(): void;
  /** @returns the fields of the interim response with this status, once it is here */
  interim(status: number): Promise<FieldList>;
  /** Once it is here. */
  head(): Promise<Pick<DoorResponse, 'status' | 'fields'>>;
  /** Until what is here of the content holds it. */
  content(what: string, holds: (content: Buffer) => boolean): Promise<void>;
  /** Until nothing more comes of it: then it is whole, or broken. */
  response(): Promise<DoorResponse>;
}

/** A client's connection. */
export interface DoorClient {
  /** Another request may be sent on it, as far as this client has been told. */
  readonly usable: boolean;
  /** Sends the head of a request. Its body follows. */
  begin(request: DoorRequest): Promise<DoorExchange>;
  /** Until the gate has ended it. */
  ended(): Promise<void>;
  close(): void;
}

/** Where a gate is found. */
export interface DoorPlace {
  readonly port: number;
  readonly caFile: string;
  /** Of its decision endpoint, where it has one. */
  readonly decisionPort?: number;
}

/** A door, by a client that speaks its protocol, with the powers that the protocol gives. */
export interface DoorUnderTest {
  readonly name: string;
  readonly tls: boolean;
  readonly powers: {
    /** Several requests at the same time on one connection. */
    readonly concurrent: boolean;
    /** A request's body can wait until it is wanted (RFC 9110 §10.1.1). */
    readonly expectations: boolean;
    /** What is permitted goes to an upstream; else whoever asks is told the verdict. */
    readonly forwards: boolean;
  };
  /** What a request says whose client takes fields behind the content of a response. */
  readonly asksForTrailers: FieldList;
  /** Every way in which a client can give up what it has asked for. */
  readonly departures: readonly (readonly [
    how: string,
    leave: (client: DoorClient, exchange: DoorExchange) => void,
  ])[];
  /** Rejects when the gate takes no connection. */
  connect(gate: DoorPlace): Promise<DoorClient>;
}
