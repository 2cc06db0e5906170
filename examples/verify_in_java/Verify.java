// Judges signatures with Java's standard library alone: java Verify.java admission_vectors.json
//                                                       java Verify.java BULLETIN.tocsin.json KEY.jwk.json DOMAIN
//
// Written from schemas/SPEC.md, sections 4 and 5 (steps 0 to 4), and from nothing else. For each vector it prints its
// number and `accept`, `refuse REASON`, or `skip` where a registered ML-DSA-65 key would have to be asked. Of a bulletin
// it prints who says what; one that does not hold ends the program with exit code 1 and the reason. KEY is one key or a set.
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public final class Verify {
    static final int MAX_PAYLOAD = 262_144, MAX_HEADER = 48 * 1024, MAX_PROTECTED = 8192, MAX_SIGNATURES = 8;
    static final int MIN_SIZE = 2, MAX_SIZE = 64, HASH = 32;
    static final Pattern ENTRY = Pattern.compile("([A-Za-z0-9_-]{2,8192})\\.(?:\\.([A-Za-z0-9_-]{2,6144})"
        + "|([A-Za-z0-9_-]{46})\\.([A-Za-z0-9_-]{2,6144})~(0|[1-9][0-9]?)\\.([A-Za-z0-9_-]{43,256}))");
    static final Pattern DOMAIN = Pattern.compile("[a-z0-9][a-z0-9.-]{1,62}");
    static final Pattern THUMBPRINT = Pattern.compile("[A-Za-z0-9_-]{43}");
    static final Set<String> MEMBERS = Set.of("alg", "kid", "typ", "domain", "iat", "x5t#S256", "x5c");
    static final byte[] ED25519 = HexFormat.of().parseHex("302a300506032b6570032100"); // RFC 8410, before the 32 bytes

    /** A refusal, by its reason code. */
    static final class Refused extends Exception {
        Refused(String reason) { super(reason, null, false, false); }
    }

    /** A registered key: whose it is, its algorithm, and its JWK. */
    record Key(String authority, String alg, Map<?, ?> jwk) {}

    /** The keys of a registry, and the federation it is of. */
    record Registry(String domain, Map<String, Key> keys) {}

    /** One signature of a message; `batch` is null where it is over the bulletin alone. */
    record Entry(String kid, String alg, String protectedHeader, byte[] signature, Batch batch) {}

    /** A place in a tree that was signed: size and root as encoded, and the path there. */
    record Batch(String head, int index, String path) {}

    public static void main(String[] arguments) throws Exception {
        Map<?, ?> document = (Map<?, ?>) Json.read(Files.readAllBytes(Path.of(arguments[0])));
        if (arguments.length == 1) vectors(document);
        else bulletin(document, (Map<?, ?>) Json.read(Files.readAllBytes(Path.of(arguments[1]))), arguments[2]);
    }

    /** The file form of one bulletin: its signatures as on the wire, judged by the keys that are given and no registry. */
    static void bulletin(Map<?, ?> file, Map<?, ?> given, String domain) throws Exception {
        byte[] payload = unb64u((String) file.get("payload"));
        Map<String, Key> keys = new HashMap<>();
        for (Object each : given.get("keys") == null ? List.of(given) : (List<?>) given.get("keys")) {
            Map<?, ?> jwk = (Map<?, ?>) each;
            boolean edwards = jwk.get("kty").equals("OKP");
            String alg = edwards ? "Ed25519" : "ES256";
            keys.put(thumbprint(jwk, edwards), new Key(issuer(payload), alg, jwk));
        }
        List<String> entries = new ArrayList<>();
        for (Object each : (List<?>) file.get("signatures")) {
            Map<?, ?> signature = (Map<?, ?>) each, place = (Map<?, ?>) signature.get("header");
            Object batch = place == null ? "" : place.get("batch");
            String entry = signature.get("protected") + "." + batch + "." + signature.get("signature");
            entries.add(place == null ? entry : entry + "~" + place.get("index") + "." + place.get("path"));
        }
        try {
            List<?> header = List.of("Tocsin-Sig", String.join(",", entries));
            if (!judge(List.of(header), payload, new Registry(domain, keys))) throw new Refused("wrong-algorithm");
        } catch (Refused refused) {
            System.err.println("refused: " + refused.getMessage());
            System.exit(1);
        }
        Map<?, ?> info = (Map<?, ?>) ((List<?>) ((Map<?, ?>) Json.read(payload)).get("info")).get(0);
        System.out.println(issuer(payload) + ": " + info.get("headline"));
    }

    /** RFC 7638: the members that a key needs, in their order, hashed. */
    static String thumbprint(Map<?, ?> jwk, boolean edwards) throws GeneralSecurityException {
        String more = edwards ? "" : ",\"y\":\"" + jwk.get("y") + "\"";
        String members = "{\"crv\":\"" + jwk.get("crv") + "\",\"kty\":\"" + jwk.get("kty") + "\",\"x\":\"" + jwk.get("x") + "\"" + more + "}";
        return b64u(MessageDigest.getInstance("SHA-256").digest(members.getBytes(StandardCharsets.UTF_8)));
    }

    static void vectors(Map<?, ?> vectors) throws Exception {
        int[] counts = new int[3];
        for (Object each : (List<?>) vectors.get("testGroups")) {
            Map<?, ?> group = (Map<?, ?>) each;
            Registry registry = registry((Map<?, ?>) group.get("registry"), (String) group.get("pin"));
            for (Object vector : (List<?>) group.get("tests")) {
                Map<?, ?> test = (Map<?, ?>) vector;
                String said;
                try {
                    boolean judged = judge((List<?>) test.get("headers"), unb64u((String) test.get("payload")), registry);
                    said = judged ? "accept" : "skip";
                    counts[judged ? 0 : 2]++;
                } catch (Refused refused) {
                    said = "refuse " + refused.getMessage();
                    counts[1]++;
                }
                System.out.println(test.get("tcId") + " " + said);
            }
        }
        System.err.printf("%d accepted, %d refused, %d skipped (ML-DSA-65)%n", counts[0], counts[1], counts[2]);
    }

    /** The domain and the bulletin keys of a registry, believed by its pin. */
    static Registry registry(Map<?, ?> registry, String pin) throws Exception {
        byte[] payload = unb64u((String) registry.get("payload"));
        String digest = b64u(MessageDigest.getInstance("SHA-256").digest(payload));
        if (!digest.equals(pin)) throw new IllegalArgumentException("the registry is not the one that is pinned");
        Map<String, Key> found = new HashMap<>();
        Map<?, ?> document = (Map<?, ?>) Json.read(payload);
        ((Map<?, ?>) document.get("authorities")).forEach((name, authority) ->
            ((Map<?, ?>) ((Map<?, ?>) authority).get("keys")).forEach((kid, record) -> {
                Map<?, ?> key = (Map<?, ?>) record;
                found.put((String) kid, new Key((String) name, (String) key.get("alg"), (Map<?, ?>) key.get("jwk")));
            }));
        return new Registry((String) document.get("domain"), found);
    }

    /** Whether the signatures hold; false where that cannot be said without ML-DSA-65. */
    static boolean judge(List<?> headers, byte[] payload, Registry registry) throws Refused {
        if (payload.length == 0) throw new Refused("empty");
        if (payload.length > MAX_PAYLOAD) throw new Refused("too-large");
        List<String> values = new ArrayList<>();
        for (Object pair : headers) {
            List<?> header = (List<?>) pair;
            if (((String) header.get(0)).equalsIgnoreCase("Tocsin-Sig")) values.add((String) header.get(1));
        }
        if (values.size() != 1) throw new Refused("malformed-envelope");
        Set<String> good = new HashSet<>(), bad = new HashSet<>();
        boolean wrongAlgorithm = false;
        List<Entry> entries = entries(values.get(0), registry.domain);
        Map<String, Key> keys = registry.keys;
        Map<String, Set<Boolean>> ways = new HashMap<>(); // of each authority, whether alone and whether in a batch
        for (Entry entry : entries) {
            Key key = keys.get(entry.kid);
            if (key != null && key.alg.equals("ML-DSA-65") && entry.alg.equals(key.alg)) return false;
        }
        for (Entry entry : entries) {
            Key key = keys.get(entry.kid);
            if (key == null) continue;
            boolean named = key.alg.equals(entry.alg);
            wrongAlgorithm |= !named;
            boolean holds = named && holds(key, entry, payload);
            (holds ? good : bad).add(key.authority);
            if (holds) ways.computeIfAbsent(key.authority, name -> new HashSet<>()).add(entry.batch == null);
        }
        if (good.isEmpty()) throw new Refused(wrongAlgorithm ? "wrong-algorithm" : bad.isEmpty() ? "unknown-key" : "bad-signature");
        if (bad.contains(issuer(payload))) throw new Refused("bad-signature");
        if (ways.getOrDefault(issuer(payload), Set.of()).size() > 1) throw new Refused("malformed-envelope");
        return true;
    }

    /** Who the payload says it is by; it is read only after a signature over it holds, and its rules are not judged here. */
    static String issuer(byte[] payload) {
        try {
            return (String) ((Map<?, ?>) ((Map<?, ?>) Json.read(payload)).get("issuer")).get("id");
        } catch (Json.Malformed | ClassCastException | NullPointerException malformed) {
            return "";
        }
    }

    static List<Entry> entries(String value, String domain) throws Refused {
        if (value.length() > MAX_HEADER) throw new Refused("too-large");
        if (!value.chars().allMatch(c -> c < 128)) throw new Refused("malformed-envelope");
        String[] parts = value.split(",", -1);
        if (parts.length > MAX_SIGNATURES) throw new Refused("too-large");
        List<Entry> found = new ArrayList<>();
        Set<String> kids = new HashSet<>();
        Set<Batch> places = new HashSet<>();
        for (String part : parts) {
            Matcher match = ENTRY.matcher(part);
            if (!match.matches()) throw new Refused("malformed-envelope");
            Map<?, ?> header = header(unb64u(match.group(1)));
            boolean alone = match.group(2) != null;
            String typ = alone ? "vnd.tocsin.bulletin" : "vnd.tocsin.batch";
            if (!header.get("typ").equals(typ)) throw new Refused("unknown-type");
            if (!header.get("domain").equals(domain)) throw new Refused("wrong-domain");
            String kid = (String) header.get("kid");
            byte[] signature = unb64u(match.group(alone ? 2 : 4));
            Batch batch = alone ? null : batch(header, match.group(3), Integer.parseInt(match.group(5)), match.group(6));
            found.add(new Entry(kid, (String) header.get("alg"), match.group(1), signature, batch));
            kids.add(kid);
            if (batch != null) places.add(batch);
        }
        if (kids.size() != found.size() || places.size() > 1) throw new Refused("malformed-envelope");
        return found;
    }

    /** A place in a tree, in its one spelling: a size of 2 to 64, an index below it, and exactly the hashes these two want. */
    static Batch batch(Map<?, ?> header, String head, int index, String path) throws Refused {
        byte[] signed = unb64u(head);
        int size = (signed[0] & 0xff) << 8 | signed[1] & 0xff;
        boolean fits = header.get("iat") == null && header.get("x5t#S256") == null && header.get("x5c") == null
            && MIN_SIZE <= size && size <= MAX_SIZE && index < size && unb64u(path).length == HASH * steps(index, size);
        if (!fits) throw new Refused("malformed-envelope");
        return new Batch(head, index, path);
    }

    /** How many hashes lead from a leaf to the root (RFC 9162, section 2.1.3). */
    static int steps(int index, int size) {
        if (size == 1) return 0;
        int left = Integer.highestOneBit(size - 1);
        return 1 + (index < left ? steps(index, left) : steps(index - left, size - left));
    }

    /** The root above a leaf, from the top of the tree downwards. */
    static byte[] root(byte[] leaf, int index, int size, byte[] path, int length) throws GeneralSecurityException {
        if (size == 1) return leaf;
        int left = Integer.highestOneBit(size - 1);
        byte[] beside = Arrays.copyOfRange(path, length - HASH, length);
        return index < left
            ? hash(1, root(leaf, index, left, path, length - HASH), beside)
            : hash(1, beside, root(leaf, index - left, size - left, path, length - HASH));
    }

    static byte[] hash(int prefix, byte[]... parts) throws GeneralSecurityException {
        MessageDigest state = MessageDigest.getInstance("SHA-256");
        state.update((byte) prefix);
        for (byte[] part : parts) state.update(part);
        return state.digest();
    }

    /** What an entry signs: the payload, or the head of its batch; null when its path does not lead there. */
    static String signed(Entry entry, byte[] payload) throws GeneralSecurityException, Refused {
        if (entry.batch == null) return b64u(payload);
        byte[] head = unb64u(entry.batch.head), path = unb64u(entry.batch.path);
        byte[] leaf = hash(0, MessageDigest.getInstance("SHA-256").digest(payload));
        byte[] root = root(leaf, entry.batch.index, (head[0] & 0xff) << 8 | head[1] & 0xff, path, path.length);
        return Arrays.equals(root, Arrays.copyOfRange(head, 2, head.length)) ? entry.batch.head : null;
    }

    /** A protected header: a closed set of members, each of its type. */
    static Map<?, ?> header(byte[] raw) throws Refused {
        try {
            Map<?, ?> header = (Map<?, ?>) Json.read(raw);
            String alg = (String) header.get("alg"), kid = (String) header.get("kid"), typ = (String) header.get("typ");
            boolean fits = raw.length <= MAX_PROTECTED && MEMBERS.containsAll(header.keySet())
                && alg.length() <= 16 && THUMBPRINT.matcher(kid).matches() && typ.length() <= 40
                && DOMAIN.matcher((String) header.get("domain")).matches();
            if (header.get("iat") != null) fits &= (Long) header.get("iat") >= 0;
            if (header.get("x5t#S256") != null) fits &= THUMBPRINT.matcher((String) header.get("x5t#S256")).matches();
            if (header.get("x5c") != null) {
                List<?> chain = (List<?>) header.get("x5c");
                fits &= chain.size() <= 4 && chain.stream().allMatch(each -> ((String) each).length() <= 8192);
            }
            if (fits) return header;
        } catch (Json.Malformed | ClassCastException | NullPointerException malformed) {
            // refused like one that does not fit
        }
        throw new Refused("malformed-envelope");
    }

    /** RFC 7515, appendix F: the signing input is the protected header, a point, and the payload in base64url. */
    static boolean holds(Key key, Entry entry, byte[] payload) {
        if (entry.signature.length != 64) return false;
        try {
            boolean edwards = key.alg.equals("Ed25519");
            Signature check = Signature.getInstance(edwards ? "Ed25519" : "SHA256withECDSAinP1363Format");
            check.initVerify(edwards ? edwards(key.jwk) : p256(key.jwk));
            String signed = signed(entry, payload);
            if (signed == null) return false;
            check.update((entry.protectedHeader + "." + signed).getBytes(StandardCharsets.US_ASCII));
            return check.verify(entry.signature);
        } catch (SignatureException broken) {
            return false;
        } catch (GeneralSecurityException | Refused unusable) {
            throw new IllegalStateException("a key of the registry cannot be used", unusable);
        }
    }

    static PublicKey edwards(Map<?, ?> jwk) throws GeneralSecurityException, Refused {
        byte[] point = unb64u((String) jwk.get("x"));
        byte[] spec = ByteBuffer.allocate(ED25519.length + point.length).put(ED25519).put(point).array();
        return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(spec));
    }

    static PublicKey p256(Map<?, ?> jwk) throws GeneralSecurityException, Refused {
        AlgorithmParameters curve = AlgorithmParameters.getInstance("EC");
        curve.init(new ECGenParameterSpec("secp256r1"));
        BigInteger x = new BigInteger(1, unb64u((String) jwk.get("x"))), y = new BigInteger(1, unb64u((String) jwk.get("y")));
        ECParameterSpec domain = curve.getParameterSpec(ECParameterSpec.class);
        return KeyFactory.getInstance("EC").generatePublic(new ECPublicKeySpec(new ECPoint(x, y), domain));
    }

    static String b64u(byte[] data) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(data);
    }

    /** Canonical: no padding, no other alphabet, no stray bits. */
    static byte[] unb64u(String text) throws Refused {
        try {
            byte[] data = Base64.getUrlDecoder().decode(text);
            if (b64u(data).equals(text)) return data;
        } catch (IllegalArgumentException malformed) {
            // refused like one that has another spelling
        }
        throw new Refused("malformed-envelope");
    }

    /** I-JSON as tocsin uses it: UTF-8, each member once, integers within 2^53-1, at most 32 deep, and no fractions. */
    static final class Json {
        static final class Malformed extends Exception {
            Malformed() { super(null, null, false, false); }
        }

        static final Pattern INTEGER = Pattern.compile("-?(0|[1-9][0-9]{0,15})");
        final String text;
        int at;

        Json(String text) { this.text = text; }

        static Object read(byte[] raw) throws Malformed {
            try {
                Json json = new Json(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(raw)).toString());
                Object found = json.value(0);
                json.space();
                if (json.at != json.text.length()) throw new Malformed();
                return found;
            } catch (CharacterCodingException malformed) {
                throw new Malformed();
            }
        }

        char next() throws Malformed {
            if (at >= text.length()) throw new Malformed();
            return text.charAt(at++);
        }

        void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
        }

        boolean take(String word) {
            space();
            boolean found = text.startsWith(word, at);
            if (found) at += word.length();
            return found;
        }

        void need(String word) throws Malformed {
            if (!take(word)) throw new Malformed();
        }

        Object value(int depth) throws Malformed {
            if (depth > 32) throw new Malformed();
            if (take("{")) {
                Map<String, Object> found = new LinkedHashMap<>();
                if (take("}")) return found;
                do {
                    need("\"");
                    String name = string();
                    need(":");
                    if (found.containsKey(name)) throw new Malformed();
                    found.put(name, value(depth + 1));
                } while (take(","));
                need("}");
                return found;
            }
            if (take("[")) {
                List<Object> found = new ArrayList<>();
                if (take("]")) return found;
                do found.add(value(depth + 1)); while (take(","));
                need("]");
                return found;
            }
            if (take("\"")) return string();
            if (take("true")) return true;
            if (take("false")) return false;
            if (take("null")) return null;
            Matcher number = INTEGER.matcher(text).region(at, text.length());
            if (!number.lookingAt()) throw new Malformed();
            at = number.end();
            long found = Long.parseLong(number.group());
            if (Math.abs(found) > (1L << 53) - 1) throw new Malformed();
            return found;
        }

        String string() throws Malformed {
            StringBuilder found = new StringBuilder();
            for (char c = next(); c != '"'; c = next()) {
                if (c < ' ') throw new Malformed();
                found.append(c == '\\' ? escaped() : c);
            }
            String text = found.toString();
            if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) throw new Malformed(); // a lone surrogate
            return text;
        }

        char escaped() throws Malformed {
            char c = next();
            int plain = "\"\\/bfnrt".indexOf(c);
            if (plain >= 0) return "\"\\/\b\f\n\r\t".charAt(plain);
            if (c != 'u' || at + 4 > text.length()) throw new Malformed();
            String hex = text.substring(at, at += 4);
            if (!hex.matches("[0-9A-Fa-f]{4}")) throw new Malformed();
            return (char) Integer.parseInt(hex, 16);
        }
    }
}
