using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Dori;

/// <summary>Options as JSON: some members of a record over those that it has, from a file, a model's folder or a command line.</summary>
internal static class JsonOverlay
{
    /// <param name="over">(where it comes from, for messages; some of the members), later ones over earlier ones.</param>
    /// <exception cref="DoriException">A member that the record does not have, or of another type.</exception>
    public static T Merge<T>(T options, JsonTypeInfo<T> type, IEnumerable<(string Where, JsonObject Members)> over)
    {
        var whole = (JsonObject)JsonSerializer.SerializeToNode(options, type)!;
        foreach ((string where, JsonObject members) in over)
        {
            Put(whole, members, where, "");
            try
            {
                options = whole.Deserialize(type)!;
            }
            catch (JsonException e)
            {
                throw new DoriException($"{where}: {e.Message}", e);
            }
        }
        return options;
    }

    /// <summary>Some members of a method's options: a file of them, or the <c>options</c> of a recorded run.</summary>
    /// <param name="method">A record of another method's run is refused.</param>
    public static JsonObject Read(string file, string method)
    {
        JsonObject read = StrictJson.Object(file, InputFile.ReadBytes(file, InputKind.Record), "options in JSON");
        if (!read.ContainsKey("schema")) return read;
        string recorded = read["method"] is JsonValue value && value.TryGetValue(out string? name) ? name : "another method";
        return recorded == method && read["options"] is JsonObject options ? options
            : throw new DoriException($"{file}: the record of a mitigation by {recorded}; one by {method} is wanted, or its options alone");
    }

    private static void Put(JsonObject whole, JsonObject members, string where, string path)
    {
        foreach ((string name, JsonNode? value) in members)
        {
            if (!whole.TryGetPropertyValue(name, out JsonNode? had))
                throw new DoriException($"{where}: \"{path}{name}\" is not known; possible are "
                    + $"{string.Join(", ", whole.Select(member => path + member.Key))}");
            if (had is JsonObject part && value is JsonObject some) Put(part, some, where, $"{path}{name}.");
            else if (had is JsonObject) throw new DoriException($"{where}: \"{path}{name}\" must be an object");
            else whole[name] = value?.DeepClone();
        }
    }
}
