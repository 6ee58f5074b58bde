import java.io.FileReader;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Collection;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.est.CSRRequestResponse;
import org.bouncycastle.est.ESTAuth;
import org.bouncycastle.est.ESTException;
import org.bouncycastle.est.ESTService;
import org.bouncycastle.est.EnrollmentResponse;
import org.bouncycastle.est.jcajce.JcaHttpAuthBuilder;
import org.bouncycastle.est.jcajce.JcaJceUtils;
import org.bouncycastle.est.jcajce.JsseESTServiceBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.bouncycastle.util.Store;

/** Bouncy Castle's EST client against a server; one line "name ok" or "name FAILED why" for each operation. */
public final class EstInterop {
  static String server;
  static TrustAnchor[] anchors;

  interface Step { void run() throws Exception; }

  static void step(String name, Step step) {
    try {
      step.run();
      System.out.println(name + " ok");
    } catch (Throwable failure) {
      System.out.println(name + " FAILED " + failure);
    }
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new IllegalStateException("expected " + what);
  }

  static ESTService service(String label, KeyManager[] keys) throws Exception {
    JsseESTServiceBuilder builder = new JsseESTServiceBuilder(server, JcaJceUtils.getCertPathTrustManager(Set.of(anchors), null));
    builder.withTimeout(20000);
    if (label != null) builder.withLabel(label);
    if (keys != null) builder.withKeyManagers(keys);
    return builder.build();
  }

  static KeyPair newKey() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  static PKCS10CertificationRequest request(KeyPair pair, X500Name subject) throws Exception {
    return new JcaPKCS10CertificationRequestBuilder(subject, pair.getPublic())
        .build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()));
  }

  static X509Certificate only(EnrollmentResponse response) throws Exception {
    check(response.isCompleted(), "a completed enrolment");
    Store<X509CertificateHolder> store = response.getStore();
    Collection<X509CertificateHolder> all = store.getMatches(null);
    check(all.size() == 1, "one certificate, not " + all.size());
    return new JcaX509CertificateConverter().getCertificate(all.iterator().next());
  }

  static KeyManager[] holding(X509Certificate certificate, PrivateKey key) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry("a", key, "x".toCharArray(), new X509Certificate[] {certificate});
    KeyManagerFactory factory = KeyManagerFactory.getInstance("PKIX");
    factory.init(store, "x".toCharArray());
    return factory.getKeyManagers();
  }

  public static void main(String[] args) throws Exception {
    Security.addProvider(new BouncyCastleProvider());
    server = args[0];
    try (PEMParser parser = new PEMParser(new FileReader(args[1]))) {
      X509CertificateHolder root = (X509CertificateHolder) parser.readObject();
      anchors = new TrustAnchor[] {new TrustAnchor(new JcaX509CertificateConverter().getCertificate(root), null)};
    }
    ESTAuth basic = new JcaHttpAuthBuilder("TEST EST", args[2], args[3].toCharArray()).build();
    X500Name subject = new X500Name("CN=TEST bouncy");

    step("cacerts", () -> check(service(null, null).getCACerts().getCertificateStore().getMatches(null).size() == 2, "two authorities"));
    KeyPair pair = newKey();
    X509Certificate[] held = new X509Certificate[1];
    step("simpleenroll-basic", () -> {
      held[0] = only(service(null, null).simpleEnroll(false, request(pair, subject), basic));
      check(held[0].getPublicKey().equals(pair.getPublic()), "the key of the request");
    });
    step("simpleenroll-label", () -> only(service("other", null).simpleEnroll(false, request(newKey(), subject), basic)));
    step("simplereenroll", () -> {
      X500Name issued = new X500Name(held[0].getSubjectX500Principal().getName(X500Principal.RFC2253));
      X509Certificate renewed = only(service(null, holding(held[0], pair.getPrivate())).simpleEnroll(true, request(pair, issued), null));
      check(!renewed.getSerialNumber().equals(held[0].getSerialNumber()), "a new serial number");
    });
    step("refused", () -> {
      try {
        service(null, null).simpleEnroll(false, request(newKey(), subject), null);
      } catch (ESTException expected) {
        check(expected.getStatusCode() == 401, "401, not " + expected.getStatusCode());
        return;
      }
      check(false, "a refusal");
    });
    step("csrattrs", () -> {
      CSRRequestResponse answer = service("attributes", null).getCSRAttributes();
      check(answer.hasAttributesResponse() && !answer.getAttributesResponse().getRequirements().isEmpty(), "attributes");
    });
    step("csrattrs-none", () -> check(!service(null, null).getCSRAttributes().hasAttributesResponse(), "no attributes"));
    step("pending", () -> {
      PKCS10CertificationRequest request = request(newKey(), subject);
      EnrollmentResponse first = service("pending", null).simpleEnroll(false, request, basic);
      check(!first.isCompleted() && first.getNotBefore() > 0, "a wish to come again");
      only(service("pending", null).simpleEnroll(false, request, basic));
    });
    step("serverkeygen", () -> {
      EnrollmentResponse made = service(null, null).simpleEnrollWithServersideCreation(request(newKey(), subject), basic);
      check(made.getPrivateKeyInfo() != null, "a private key");
      only(made);
    });
  }
}
