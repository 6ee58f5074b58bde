export { type Area, areaOf, groupsOf, loadArea, loadAreas } from './areas.ts';
export { type Part, profileNames, select } from './selection.ts';
