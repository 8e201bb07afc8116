// Reads manifests as JSON from stdin; says of each what Strimzi's own classes have against it, as one line of JSON.
//
// From these classes the CRDs are generated, and with them the operators read what is there. Values of another type are
// refused; fields that no class has, words that are none of an enumeration, and what is missing are named.

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.strimzi.api.kafka.model.kafka.Kafka;
import io.strimzi.api.kafka.model.nodepool.KafkaNodePool;
import io.strimzi.api.kafka.model.topic.KafkaTopic;
import io.strimzi.api.kafka.model.user.KafkaUser;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;

public class Strimzi {
    private static final String API = "kafka.strimzi.io/v1";
    private static final Map<String, Class<?>> KINDS = Map.of("Kafka", Kafka.class, "KafkaNodePool", KafkaNodePool.class,
            "KafkaTopic", KafkaTopic.class, "KafkaUser", KafkaUser.class);
    private static final ObjectMapper STRICT = JsonMapper.builder()
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    public static void main(String[] args) throws Exception {
        ObjectMapper plain = new ObjectMapper();
        for (JsonNode made : plain.readTree(System.in)) {
            System.out.println(plain.writeValueAsString(problems(made)));
        }
    }

    private static List<String> problems(JsonNode made) throws ReflectiveOperationException {
        List<String> found = new ArrayList<>();
        Class<?> kind = KINDS.get(made.path("kind").asText());
        if (kind == null || !API.equals(made.path("apiVersion").asText())) {
            found.add("no class of " + made.path("apiVersion") + " " + made.path("kind"));
            return found;
        }
        try {
            Object read = STRICT.treeToValue(made, kind);
            look(read, "", found);
            changed(made, STRICT.valueToTree(read), "", found);
        } catch (JsonProcessingException error) {
            found.add(error.getOriginalMessage());
        }
        return found;
    }

    /** What no class has a field for, and what is required and missing, in `read` and all that it holds. */
    private static void look(Object read, String path, List<String> found) throws ReflectiveOperationException {
        if (read instanceof Collection<?> many) {
            int number = 0;
            for (Object one : many) {
                look(one, path + "/" + number++, found);
            }
        }
        if (read == null || read instanceof Enum<?> || !read.getClass().getName().matches("io[.](strimzi|fabric8)[.].*")) {
            return;
        }
        for (Method getter : read.getClass().getMethods()) {
            if (getter.getName().startsWith("get") && getter.getParameterCount() == 0 && !getter.isBridge()) {
                String name = getter.getName().substring(3, 4).toLowerCase() + getter.getName().substring(4);
                Object value = getter.invoke(read);
                if (name.equals("additionalProperties") && value instanceof Map<?, ?> unknown) {
                    unknown.keySet().forEach(field -> found.add(path + "/" + field + ": unknown field"));
                } else if (value == null && isRequired(getter)) {
                    found.add(path + "/" + name + ": required");
                } else {
                    look(value, path + "/" + name, found);
                }
            }
        }
    }

    private static boolean isRequired(Method getter) {
        JsonProperty property = getter.getAnnotation(JsonProperty.class);
        return property != null && property.required();
    }

    /** What is another value when it is written again: a word that is none of an enumeration. What is a default goes. */
    private static void changed(JsonNode before, JsonNode after, String path, List<String> found) {
        if (before.isObject() && after.isObject()) {
            before.fields().forEachRemaining(
                    one -> changed(one.getValue(), after.path(one.getKey()), path + "/" + one.getKey(), found));
        } else if (before.isArray() && after.isArray()) {
            for (int number = 0; number < before.size(); number++) {
                changed(before.get(number), after.path(number), path + "/" + number, found);
            }
        } else if (!after.isMissingNode() && !before.equals(after) && !path.equals("/apiVersion")) {
            found.add(path + ": " + before + " is read as " + after);
        }
    }
}
