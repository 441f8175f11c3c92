import java.io.FileInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * One call with java.net.http.HttpClient: METHOD URL SAVE_TO BODY_FILE NAME:VALUE... ('' = no body). Prints the status, then the
 * headers as `name: value`, to standard error. The CA comes from CA_FILE.
 */
public final class JavaClient {
  public static void main(String[] words) throws Exception {
    var body = words[3].isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofFile(Path.of(words[3]));
    var request = HttpRequest.newBuilder(URI.create(words[1])).method(words[0], body);
    for (int at = 4; at < words.length; at++) {
      var field = words[at].split(":", 2);
      request.header(field[0], field[1]);
    }
    var client = HttpClient.newBuilder().sslContext(trusting(System.getenv("CA_FILE"))).build();
    var response = client.send(request.build(), BodyHandlers.ofFile(Path.of(words[2])));
    System.err.println(response.statusCode());
    response.headers().map().forEach((name, values) -> values.forEach((value) -> System.err.println(name + ": " + value)));
  }

  private static SSLContext trusting(String file) throws Exception {
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var pem = new FileInputStream(file)) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
    }
    var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    managers.init(store);
    var context = SSLContext.getInstance("TLS");
    context.init(null, managers.getTrustManagers(), null);
    return context;
  }
}
