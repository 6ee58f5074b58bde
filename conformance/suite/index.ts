export { type Area, areaOf, groupsOf, loadArea, loadAreas } from './areas.ts';
export { longestFirst, type Part, profileNames, select } from './selection.ts';
