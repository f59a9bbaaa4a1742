/** What a device means by the numbers of MCMDMErrorDomain that we have met, in words for a person. */
const WORDS: Readonly<Record<number, string>> = {
  12001: 'It is managed by another server already',
  12007: 'Its enrolment does not give the right for this',
  12008: 'It could not read the command',
  12009: 'The profile may not take the place of the one that is there',
  12012: 'The new enrolment does not fit the old one',
  12013: 'What was named is not managed, or is not on the device',
  12021: 'It does not know this command',
  12052: 'Only a supervised device does this',
}

/** Undefined for a fault that we have no words for. */
export const faultWords = (domain: string | null | undefined, code: number | null | undefined): string | undefined =>
  domain === 'MCMDMErrorDomain' && code != null ? WORDS[code] : undefined
