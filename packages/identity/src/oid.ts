/** The object identifiers that Picket reads and writes. */
export const OID = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  nameConstraints: '2.5.29.30',
  subjectKeyId: '2.5.29.14',
  authorityKeyId: '2.5.29.35',
  crlNumber: '2.5.29.20',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  /** PKCS #9: the extensions that a CSR asks for. */
  extensionRequest: '1.2.840.113549.1.9.14',
  commonName: '2.5.4.3',
  /** The subject attribute, not a certificate's serial number. */
  serialNumber: '2.5.4.5',
  organization: '2.5.4.10',
} as const
