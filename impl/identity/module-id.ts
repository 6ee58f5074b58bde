import { hubIdFault } from '../cloud/index.ts';

/** What keeps a text from being a module id of IoT Hub, or undefined when nothing does: {@link hubIdFault}. */
export const moduleIdFault = (id: string): string | undefined => hubIdFault(id, 'module name');
