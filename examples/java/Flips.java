import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Prints each flip of a bet once, in order, however often it is told.
 *
 * <p>Written from docs/api/asyncapi.json and nothing else. It keeps nothing: each run begins at the
 * start of the topic, from which nothing is ever removed, and ends where the last one was.
 */
public final class Flips {
    private static final String TOPIC = "bets.state";
    private static final String TYPE = "bets.state_changed";

    /** A name twice in one object, or something behind it: that is no message. */
    private static final ObjectMapper JSON =
            new ObjectMapper(
                            JsonFactory.builder()
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    enum Market { team_1, draw, team_2 }

    enum State { none, winning, losing, win, lose }

    record Bet(UUID id, String userId) {}

    record Slice(UUID eventId, int version, Market market, State state, List<Bet> bets) {}

    /** What is known of a bet: the highest version that was seen, and the state that it brought. */
    record Standing(int version, State state) {}

    private static final Standing UNTOLD = new Standing(0, State.none);

    private final Map<UUID, Standing> standings = new HashMap<>();
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    private final String user;

    private Flips(String user) {
        this.user = user;
    }

    public static void main(String[] arguments) {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: Flips BOOTSTRAP_SERVERS [USER]");
            System.exit(2);
        }
        new Flips(arguments.length == 2 ? arguments[1] : null).follow(arguments[0]);
    }

    private void follow(String servers) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", servers, "allow.auto.create.topics", "false");
        try (var consumer =
                new KafkaConsumer<>(
                        settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partitions = new ArrayList<TopicPartition>();
            consumer.partitionsFor(TOPIC)
                    .forEach(each -> partitions.add(new TopicPartition(TOPIC, each.partition())));
            consumer.assign(partitions); // without a group: it gets all there is
            consumer.seekToBeginning(partitions);
            while (true) {
                consumer.poll(Duration.ofSeconds(1)).forEach(this::take);
            }
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> record) {
        Slice slice;
        try {
            slice = read(record.value());
        } catch (IOException | RuntimeException unreadable) {
            System.err.println("skipped what lies in " + place(record) + ": " + unreadable);
            return;
        }
        if (slice != null) {
            slice.bets().forEach(bet -> apply(slice, bet));
        }
    }

    /** The guard: a version that is not higher than the one that was seen is a repeat, or late. */
    private void apply(Slice slice, Bet bet) {
        if (user != null && !user.equals(bet.userId())) {
            return;
        }
        Standing before = standings.getOrDefault(bet.id(), UNTOLD);
        if (slice.version() <= before.version()) {
            return;
        }
        standings.put(bet.id(), new Standing(slice.version(), slice.state()));
        if (slice.state() != before.state()) {
            print(slice, bet);
        }
    }

    private void print(Slice slice, Bet bet) {
        var flip = JSON.createObjectNode();
        flip.put("userId", bet.userId());
        flip.put("bet", bet.id().toString());
        flip.put("eventId", slice.eventId().toString());
        flip.put("market", slice.market().name());
        flip.put("event_version", slice.version());
        flip.put("state", slice.state().name());
        out.println(flip);
    }

    // Reading: what is not as the document says is refused whole, before any of it counts

    /** The slice in a record's value; null for a message of a type that is not ours to know. */
    private static Slice read(byte[] value) throws IOException {
        if (value == null) {
            throw new IllegalArgumentException("it has no value");
        }
        JsonNode message = JSON.readTree(value);
        if (!text(message, "type").equals(TYPE)) {
            return null;
        }
        JsonNode data = message.required("data");
        return new Slice(
                id(data, "eventId"),
                version(data),
                Market.valueOf(text(data, "market")),
                State.valueOf(text(data, "state")),
                bets(data));
    }

    private static List<Bet> bets(JsonNode data) {
        JsonNode list = data.required("bets");
        if (!list.isArray()) {
            throw new IllegalArgumentException("bets is no list");
        }
        var bets = new ArrayList<Bet>();
        for (JsonNode bet : list) {
            bets.add(new Bet(id(bet, "id"), text(bet, "userId")));
        }
        return bets;
    }

    private static String text(JsonNode object, String name) {
        JsonNode value = object.required(name);
        if (!value.isTextual()) {
            throw new IllegalArgumentException(name + " is no text");
        }
        return value.textValue();
    }

    private static UUID id(JsonNode object, String name) {
        return UUID.fromString(text(object, name));
    }

    private static int version(JsonNode data) {
        JsonNode value = data.required("event_version");
        if (!value.isInt() || value.intValue() < 1) {
            throw new IllegalArgumentException("event_version is no version");
        }
        return value.intValue();
    }

    private static String place(ConsumerRecord<byte[], byte[]> record) {
        return "%s-%d at %d".formatted(record.topic(), record.partition(), record.offset());
    }
}
