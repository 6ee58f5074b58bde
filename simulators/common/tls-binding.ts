import type { TLSSocket } from 'node:tls';

const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_BYTES = 32;

/** What ties a message to the TLS connection that it came over. */
export interface TlsBinding {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** The client's first Finished message; only where TLS 1.2 is spoken (RFC 5929 3). */
  readonly tlsUnique: Buffer | undefined;
  /** 32 bytes of exported keying material (RFC 9266 2). */
  readonly tlsExporter: Buffer;
}

/** Reads the channel bindings of a connection whose handshake is over and was no resumption. */
export function tlsBinding(socket: TLSSocket): TlsBinding {
  const protocol = socket.getProtocol() ?? '';
  return {
    protocol,
    tlsUnique: protocol === 'TLSv1.2' ? socket.getPeerFinished() : undefined,
    tlsExporter: socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)),
  };
}
