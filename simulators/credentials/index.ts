/** The door of the room: how the cloud services check what a device shows, and the credentials that tests show them. */
export { type CertificateExpectation, type ChainVerdict, checkChain, checkThumbprint } from './client-certificate.ts';
export { checkSasToken, readSasToken, type SasExpectation, type SasToken } from './sas-token.ts';
export { issueTestCertificate, type TestCertificateInput, type TestCredential, testToken } from './testing.ts';
export { sendTestRequest, type TestAnswer, type TestRequest } from './testing-client.ts';
export { refused, type Verdict } from './verdict.ts';
