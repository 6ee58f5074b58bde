const MANUAL = new Set(['manual-sas', 'config-errors', 'source-none', 'extras', 'offline', 'reconcile']);

/** Whether a scenario belongs to the half of a device that is provisioned by hand; the halves run beside each other. */
export const isManual = (scenario: string): boolean => MANUAL.has(scenario);
