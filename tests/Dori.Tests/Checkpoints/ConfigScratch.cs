using System.Text.Json.Nodes;
using Dori.Checkpoints;

namespace Dori.Tests.Checkpoints;

/// <summary>Config files in a folder of their own, gone afterwards.</summary>
internal sealed class ConfigScratch : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("dori-config-").FullName;

    public string Write(string json, string name = "config.json")
    {
        string path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, json);
        return path;
    }

    /// <summary>Reads <paramref name="json"/> as a file.</summary>
    public static T Read<T>(string json, Func<string, T> reader)
    {
        using var scratch = new ConfigScratch();
        return reader(scratch.Write(json));
    }

    /// <summary>The one-line message with which it is refused.</summary>
    public static string Refusal<T>(string json, Func<string, T> reader)
    {
        string message = Assert.Throws<DoriException>(() => { Read(json, reader); }).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    /// <param name="key">At a dot, goes into the object of that name.</param>
    /// <param name="value">JSON.</param>
    public static string With(string json, string key, string value)
    {
        JsonNode root = JsonNode.Parse(json)!;
        (JsonObject holder, string name) = Holder(root, key);
        holder[name] = JsonNode.Parse(value);
        return root.ToJsonString();
    }

    public static string Without(string json, string key)
    {
        JsonNode root = JsonNode.Parse(json)!;
        (JsonObject holder, string name) = Holder(root, key);
        holder.Remove(name);
        return root.ToJsonString();
    }

    private static (JsonObject, string) Holder(JsonNode root, string key)
    {
        string[] parts = key.Split('.');
        return parts.Length == 1 ? (root.AsObject(), key) : (root[parts[0]]!.AsObject(), parts[1]);
    }

    /// <summary>A whole model without weights.</summary>
    public string Model(string index, string unet, string vae, string text, string scheduler)
    {
        Write(index, "model_index.json");
        Write(unet, "unet/config.json");
        Write(vae, "vae/config.json");
        Write(text, "text_encoder/config.json");
        Write(scheduler, "scheduler/scheduler_config.json");
        Write("{}", "tokenizer/vocab.json");
        return Folder;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
