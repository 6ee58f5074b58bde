/** The text of `aziot-sandbox --help`. */
export const HELP = `aziot-sandbox: an offline Azure IoT in one command, with a real device provisioned in it

  npm start -- [options]            or, where it is installed:  aziot-sandbox [options]

It starts simulators of an EST server, the Device Provisioning Service and an IoT Hub, then keyd, certd and identityd as
separate processes, provisions the device, plays an application on it, prints what it did and stays up until Ctrl-C.

  --provisioning WAY   how the device comes to its identity:
                         dps-x509-est          DPS by a certificate from the EST server (default)
                         dps-x509-local-ca     DPS by a certificate from a CA on the device
                         dps-symmetric         DPS by a key of its own
                         dps-symmetric-group   DPS by a key derived from a group's
                         manual-sas            no DPS, a key in the hub
                         manual-x509           no DPS, a certificate that the hub trusts
                         dps-tpm               DPS by a TPM (a software TPM of the sandbox's own)
  --token TOKEN        what holds the device's private keys:
                         softhsm               SoftHSM (default, where it is installed)
                         tpm                   a software TPM, through the PKCS#11 module for TPMs
  --once               stop after the story instead of staying up
  --json               print one JSON document on standard output, and nothing else there
  --data-dir DIR       keep keys, certificates and the simulators' state in DIR; the next start with it finds them again
  --no-cloud           with --data-dir: start with the simulators stopped, as a device without a network
  --host-user USER     the Unix user (name or number) of the application on the device; root only
                       (default: nobody for root, yourself otherwise)
  -h, --help           this text

Private keys live in a SoftHSM token where SoftHSM is installed, else in files. Everything that the simulators issue says
TEST in its subject. NO_COLOR turns colours off. AZIOT_SANDBOX_AZIOTD names another launcher of the daemons.
`;
