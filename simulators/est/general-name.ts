import { isIP, isIPv4 } from 'node:net';
import { der } from './der.ts';

/** The 16 bytes of an IPv6 address, or 4 of an IPv4 one. */
function addressBytes(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from(host.split('.').map(Number));
  const [head = '', tail] = host.split('::');
  const groups = (text: string | undefined) => (text ? text.split(':') : []);
  const gap = tail === undefined ? [] : Array<string>(8 - groups(head).length - groups(tail).length).fill('0');
  return Buffer.from([...groups(head), ...gap, ...groups(tail)].map((group) => group.padStart(4, '0')).join(''), 'hex');
}

/** A GeneralName: iPAddress, or dNSName (RFC 5280 4.2.1.6). */
export const generalName = (host: string): Buffer =>
  isIP(host) ? der(0x87, addressBytes(host)) : der(0x82, Buffer.from(host, 'latin1'));
